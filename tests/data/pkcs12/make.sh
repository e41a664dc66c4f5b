#!/usr/bin/env bash
# Makes every file of this directory anew, with new keys; run it here. Needs OpenSSL 3 and Python 3.
set -euo pipefail
here=$PWD
cd "$(mktemp -d)"

new_key() { openssl ecparam -name "$1" -genkey -noout | openssl pkcs8 -topk8 -nocrypt; }
export_pfx() { # file, key and certificate, further options
    local file=$1 pair=$2
    shift 2
    openssl pkcs12 -export -inkey "$pair.key" -in "$pair.crt" -name "$file" -passout pass: -out "$file.pfx" "$@"
}

# Self-signed pairs. The .pem files are what a pair is expected to be rendered as.
openssl genrsa 2048 | openssl pkcs8 -topk8 -nocrypt > rsa.key
new_key prime256v1 > p256.key
new_key secp384r1 > p384.key
new_key secp521r1 > p521.key
new_key secp256k1 > secp256k1.key
openssl genpkey -algorithm ed25519 > ed25519.key
for pair in rsa p256 p384 p521 secp256k1 ed25519; do
    openssl req -x509 -new -key $pair.key -subj "/CN=$pair.test" -days 7300 -out $pair.crt
    cat $pair.key $pair.crt > $pair.pem
done

# Protection.
export_pfx 3des rsa -legacy -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1
export_pfx rc2-40 rsa -legacy -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-RC2-40 -macalg sha1
export_pfx pbes2 rsa
export_pfx pbes2-aes-128 p256 -keypbe AES-128-CBC -certpbe AES-192-CBC -macalg sha384
export_pfx no-mac p256 -nomac
export_pfx plain p256 -keypbe NONE -certpbe NONE
export_pfx plain-no-mac p256 -keypbe NONE -certpbe NONE -nomac
export_pfx too-many-iterations p256 -iter 9000000
export_pfx password p256 -passout pass:secret
export_pfx password-no-mac p256 -passout pass:secret -nomac

# Algorithms of the key.
export_pfx p384 p384
export_pfx p521 p521 -macalg sha512
export_pfx secp256k1 secp256k1
export_pfx ed25519 ed25519
openssl ec -in p256.key -no_public -outform DER |
    openssl pkcs8 -inform DER -topk8 -nocrypt -outform DER -out p256-without-public-key.der

# Less than a pair.
openssl pkcs12 -export -inkey p256.key -nocerts -passout pass: -out key-only.pfx
openssl pkcs12 -export -nokeys -in p256.crt -passout pass: -out certificates-only.pfx

# A chain on four curves without key identifiers, in disorder.
issuer=
while read -r name curve digest; do
    new_key "$curve" > "$name.key"
    if [ -z "$issuer" ]; then
        openssl req -x509 -new -key "$name.key" -subj "/CN=$name" -days 7300 "-$digest" -out "$name.crt"
    else
        printf 'basicConstraints=CA:%s\nsubjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n' \
            "$([ "$name" = leaf ] && echo FALSE || echo TRUE)" > extensions
        openssl req -new -key "$name.key" -subj "/CN=$name" |
            openssl x509 -req -CA "$issuer.crt" -CAkey "$issuer.key" "-$digest" -days 7300 -extfile extensions \
                -out "$name.crt"
    fi
    issuer=$name
done <<CHAIN
root secp521r1 sha512
ca1 secp384r1 sha512
ca2 prime256v1 sha384
ca3 prime256v1 sha512
ca4 secp256k1 sha384
leaf prime256v1 sha256
CHAIN
cat ca3.crt root.crt ca1.crt leaf.crt ca4.crt ca2.crt > disorder
openssl pkcs12 -export -inkey leaf.key -in disorder -passout pass: -keypbe NONE -certpbe NONE -nomac -out shuffled-chain.pfx
cat leaf.key leaf.crt ca4.crt ca3.crt ca2.crt ca1.crt root.crt > shuffled-chain.pem

# A leaf and an intermediate that were renewed with their keys, in disorder, and one certificate twice. The newest leaf is
# not valid for a long time to come.
new_key prime256v1 > renewed-root.key
openssl req -x509 -new -key renewed-root.key -subj "/CN=renewed-root" -days 36500 -out renewed-root.crt
renew() { # issuer, name, whether it is an authority, first year, last year
    : > index
    [ -f serial ] || echo 1000 > serial
    printf '[ca]\ndatabase=index\nnew_certs_dir=.\nserial=serial\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n' > config
    printf 'basicConstraints=CA:%s\n' "$3" > extensions
    [ -f "$2.key" ] || new_key prime256v1 > "$2.key"
    openssl req -new -key "$2.key" -subj "/CN=$2" -out request
    local signer=(-cert "$1.crt" -keyfile "$1.key")
    [ "$1" != "$2" ] || signer=(-selfsign -keyfile "$1.key")
    openssl ca -batch -notext -config config -name ca -md sha256 -in request -extfile extensions -out "$2-$4.crt" \
        "${signer[@]}" -startdate "$4"0101000000Z -enddate "$5"0101000000Z
}
renew renewed-root renewed-ca TRUE 2020 2090
renew renewed-root renewed-ca TRUE 2022 2095
cp renewed-ca-2020.crt renewed-ca.crt
for year in 2024 2090 2020; do renew renewed-ca renewed FALSE "$year" 2095; done
cat renewed-2024.crt renewed-2090.crt renewed-root.crt renewed-ca-2020.crt renewed-2020.crt renewed-ca-2022.crt \
    renewed-2024.crt > disorder
openssl pkcs12 -export -inkey renewed.key -in disorder -passout pass: -keypbe NONE -certpbe NONE -nomac -out renewed.pfx
cat renewed.key renewed-2090.crt renewed-ca-2022.crt renewed-root.crt renewed-2024.crt renewed-ca-2020.crt \
    renewed-2020.crt > renewed.pem

# A self-signed certificate that was renewed with its key.
for year in 2020 2024; do renew renewed-self renewed-self FALSE "$year" 2095; done
cat renewed-self-2020.crt renewed-self-2024.crt > disorder
openssl pkcs12 -export -inkey renewed-self.key -in disorder -passout pass: -keypbe NONE -certpbe NONE -nomac \
    -out renewed-self-signed.pfx
cat renewed-self.key renewed-self-2024.crt renewed-self-2020.crt > renewed-self-signed.pem

# Certificates whose roles are not plain: several roots, and several certificates that could be the issuer.
issue() { # file, name, file of the issuer, whether it is an authority
    [ -f "$1.key" ] || new_key prime256v1 > "$1.key"
    printf 'basicConstraints=CA:%s\nsubjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n' "$4" > extensions
    local signer=(-CA "$3.crt" -CAkey "$3.key")
    [ "$1" != "$3" ] || signer=(-signkey "$1.key")
    openssl req -new -key "$1.key" -subj "/CN=$2" |
        openssl x509 -req "${signer[@]}" -sha256 -days 7300 -extfile extensions -out "$1.crt"
}
# Before OpenSSL 3.2, a certificate without extensions is of version 1.
issue v3-root "root of version 3" v3-root TRUE
new_key prime256v1 > v1-root.key
openssl req -new -key v1-root.key -subj "/CN=root of version 1" |
    openssl x509 -req -signkey v1-root.key -sha256 -days 7300 -out v1-root.crt
cat v3-root.crt v1-root.crt > v1-root.pem
issue new-root "new root" new-root TRUE
issue old-root "old root" old-root TRUE
issue old-ca "old CA" old-root TRUE
issue old-leaf "old.test" old-ca FALSE
cat new-root.crt old-leaf.crt old-ca.crt old-root.crt > rollover.pem
issue x1 X1 x1 TRUE
issue r3 R3 x1 TRUE
issue cross-leaf "cross.test" r3 FALSE
cp x1.key x1-of-old.key
issue x1-of-old X1 old-root TRUE
cat cross-leaf.key cross-leaf.crt r3.crt x1-of-old.crt x1.crt > cross-signed.pem
cp rsa.key rsa-root.key
issue ec-root "root of two families" ec-root TRUE
issue rsa-root "root of two families" rsa-root TRUE
issue rsa-leaf "families.test" rsa-root FALSE
cat rsa-leaf.key rsa-leaf.crt ec-root.crt rsa-root.crt > two-families.pem
for name in one other; do issue self-$name "$name.test" self-$name FALSE; done
cat self-one.crt self-other.crt > self-signed-alone.pem

# What the command line cannot ask for but the library can: the empty password as no bytes at all (NULL), and
# encrypted certificates without a MAC.
python3 - <<'PYTHON'
import ctypes

crypto = ctypes.CDLL("libcrypto.so.3")
pointer = ctypes.c_void_p
for name in ("BIO_new_file", "PEM_read_bio_PrivateKey", "PEM_read_bio_X509", "PKCS12_create", "EVP_sha1"):
    getattr(crypto, name).restype = pointer
bio = lambda path, mode: pointer(crypto.BIO_new_file(path, mode))
key = pointer(crypto.PEM_read_bio_PrivateKey(bio(b"p256.key", b"r"), None, None, None))
certificate = pointer(crypto.PEM_read_bio_X509(bio(b"p256.crt", b"r"), None, None, None))
TRIPLE_DES, AES = 146, 427  # NID_pbe_WithSHA1And3_Key_TripleDES_CBC, NID_aes_256_cbc
for name, password, cipher, iterations, mac in (
    (b"absent-password.pfx", None, TRIPLE_DES, 2048, True),
    (b"absent-password-no-mac.pfx", None, TRIPLE_DES, 2048, False),
    (b"pbes1-two-iterations.pfx", b"", TRIPLE_DES, 2, False),
    (b"pbes2-two-iterations.pfx", b"", AES, 2, False),
):
    archive = pointer(
        crypto.PKCS12_create(password, b"made", key, certificate, None, cipher, cipher, iterations, -1, 0)
    )
    if mac:
        assert crypto.PKCS12_set_mac(archive, None, -1, None, 0, 2048, pointer(crypto.EVP_sha1())) == 1
    out = bio(name, b"w")
    assert crypto.i2d_PKCS12_bio(out, archive) == 1
    crypto.BIO_free(out)
PYTHON

cp ./*.pfx ./*.der ./*.pem "$here"
chmod 644 "$here"/*.pfx "$here"/*.der "$here"/*.pem
