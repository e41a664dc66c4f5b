#!/bin/sh
# Lays out the root file system of an image: a binary, the libraries and the loader that it names, CA certificates, a user
# and the licence. No shell, no package manager.
#
#   image/rootfs.sh BINARY DIRECTORY
#
# It needs readelf, and libraries and certificates where Debian has them.
set -eu
binary=$1
root=$2
architecture=$(uname -m)

needed() { readelf --dynamic "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }

rm -rf "$root"
mkdir -p "$root/bin" "$root/etc/ssl/certs" "$root/lib" "$root/licenses"
install -m 0755 "$binary" "$root/bin/"

# glibc looks into /lib in every distribution. Debian has the libraries in a directory for the architecture.
names=$(needed "$binary")
while [ -n "$names" ]; do
    more=
    for name in $names; do
        # The loader has its own place.
        case $name in ld-linux*) continue ;; esac
        [ ! -e "$root/lib/$name" ] || continue
        install -m 0755 "/lib/$architecture-linux-gnu/$name" "$root/lib/"
        more="$more $(needed "$root/lib/$name")"
    done
    names=$(echo $more)
done
loader=$(readelf --program-headers "$binary" | sed -n 's/.*interpreter: \(.*\)\]/\1/p')
if [ -n "$loader" ]; then
    mkdir -p "$root$(dirname "$loader")"
    [ -e "$root$loader" ] || install -m 0755 "$loader" "$root$loader"
fi

install -m 0644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
# Names of the node's hosts file first, then DNS.
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
echo 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin' >"$root/etc/passwd"
echo 'nonroot:x:65532:' >"$root/etc/group"
install -m 0644 "$(dirname "$0")/../LICENSE" "$root/licenses/akv-provider"
