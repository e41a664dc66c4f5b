#!/usr/bin/env python3
"""Writes image/hot-code.ld: the functions that a mount calls, for the linker to put together.

The kernel maps a binary in pieces of 64 KiB and more. Of 8.5 MB of code a mount runs 2.4 MB, which lie everywhere
unless the linker sorts them, so that nearly all of it would stay in memory. The list has prefixes of symbols: a module
of which most is called is named as a whole. It therefore survives changes of the code, and wants renewal only when the
benchmark's memory at rest grows. It is made on amd64; names of assembly differ on arm64, the others do not.

Needs valgrind and nm. Takes some minutes.
"""

import collections
import fnmatch
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "hot-code"
BINARY = WORK / "release" / "akv-provider"
SCRIPT = ROOT / "image" / "hot-code.ld"

# One line of the list is worth this many bytes of code that no mount calls.
BYTES_OF_A_LINE = 1000

HEADER = """\
/* The functions that a mount calls, beside each other: the pages of the others stay on the disk.
   Written by image/hot_code.py. */
SECTIONS
{
  .text.hot : {
"""
FOOTER = """\
  }
}
INSERT BEFORE .text;
"""


class Node:
    """A part of a symbol's name, with the bytes of the symbols that end here."""

    def __init__(self):
        self.children = collections.defaultdict(Node)
        self.called = 0
        self.idle = 0


def build():
    # Valgrind knows the functions of .text alone.
    environment = os.environ | {
        "AKV_HOT_CODE": "off",
        "CARGO_PROFILE_RELEASE_STRIP": "none",
        "CARGO_TARGET_DIR": str(WORK),
    }
    environment.pop("CARGO_BUILD_TARGET", None)
    build = ["cargo", "build", "--locked", "--release", "--workspace", "--bin", "akv-provider"]
    subprocess.run(build, cwd=ROOT, env=environment, check=True)


def mount():
    """Mounts, and returns the names of the functions that were called."""
    for old in WORK.glob("calls.*"):
        old.unlink()
    # The benchmark kills what it has started, so that what valgrind writes at the end is lost.
    valgrind = ["valgrind", "--tool=callgrind", "--demangle=no", "--dump-every-bb=1000000"]
    wrapper = WORK / "callgrind"
    wrapper.write_text(f"#!/bin/sh\nexec {' '.join(valgrind)} --callgrind-out-file={WORK}/calls.%p {BINARY} \"$@\"\n")
    wrapper.chmod(0o755)
    bench = ["cargo", "bench", "--locked", "--bench", "mount", "--", "--quick", f"--peer=callgrind={wrapper}", "memory"]
    subprocess.run(bench, cwd=ROOT, check=True)
    processes = collections.defaultdict(list)
    for path in WORK.glob("calls.*.*"):
        processes[path.stem].append(path)
    return set().union(*map(calls, processes.values()))


def calls(dumps):
    """Returns the functions of the binary in dumps of one process. A name is in full where it first occurs in any."""
    dumps = sorted(dumps, key=lambda path: int(path.suffix[1:]))
    lines = (line for path in dumps for line in path.read_text(errors="replace").splitlines())
    names, objects, called, ours = {}, {}, set(), False
    for line in lines:
        match = re.match(r"(c?fn|c?ob)=\((\d+)\)(?: (.*))?$", line)
        if not match:
            continue
        kind, number, name = match.groups()
        known = names if kind.endswith("fn") else objects
        if name:
            known[number] = name
        if kind == "ob":
            ours = known[number] == str(BINARY)
        elif kind == "fn" and ours:
            called.add(re.sub(r"'\d+$", "", known[number]))
    return called


def functions():
    """Yields the name and the bytes of each function."""
    output = subprocess.run(["nm", "-S", "--defined-only", BINARY], capture_output=True, text=True, check=True).stdout
    addresses = set()
    for line in output.splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[2] in "tTwW" and fields[0] not in addresses:
            addresses.add(fields[0])
            yield fields[3], int(fields[1], 16)


def parts(name):
    """Splits a symbol where a prefix may end, without what differs between builds."""
    name = re.sub(r"(\.llvm)?\.\d+$", "", name)
    name = re.sub(r"17h[0-9a-f]{16}E$", "", name)
    name = re.sub(r"(?<=C)s[0-9A-Za-z]{10,12}_", "*_", name)
    name = re.sub(r"aws_lc_\d+_\d+_\d+_", "aws_lc_*_", name)
    if not name.startswith("_ZN"):
        return re.findall(r"[A-Z]+|[^A-Z]+", name)
    split, at = ["_ZN"], 3
    while length := re.match(r"\d+", name[at:]):
        begin = at + length.end()
        at = begin + int(length[0])
        element = name[begin:at]
        # The length of a generic type says nothing of the module that it is from.
        split.append("*" if "$LT$" in element else length[0])
        split += [part for part in re.split(r"(?<=\.\.)|(?=\$LT\$)|(?=\$GT\$)|(?=\$u20\$)", element) if part]
    return split


def prefixes(node):
    """Returns the cheapest list for what is called below a node, its cost, and the bytes of the rest."""
    called, idle, cost, found = node.called > 0, node.idle, 0, []
    if called:
        cost, found = BYTES_OF_A_LINE + node.idle, [""]
    for part, child in node.children.items():
        child_cost, child_idle, below = prefixes(child)
        cost, idle, called = cost + child_cost, idle + child_idle, called or bool(below)
        found += [part + prefix for prefix in below]
    if called and BYTES_OF_A_LINE + idle <= cost:
        return BYTES_OF_A_LINE + idle, idle, ["*"]
    return cost, idle, found


def pattern(prefix):
    """Returns the pattern of symbols with this prefix, or of each instance of this symbol."""
    if not prefix.endswith("*"):
        # Rust's names end in a hash; those of C and assembly may end in a number of the build.
        return prefix + ("17h*" if prefix.startswith("_ZN") else "*")
    # Of the generic types of a module: not all that is in the module.
    return re.sub(r"\*\*$", "*$LT$*", prefix)


def main():
    build()
    called, sizes, root = mount(), dict(functions()), Node()
    if not called & sizes.keys():
        sys.exit("valgrind saw no function of the binary")
    for name, size in sizes.items():
        node = root
        for part in parts(name):
            node = node.children[part]
        if name in called:
            node.called += size
        else:
            node.idle += size
    _, _, found = prefixes(root)
    patterns = sorted(set(map(pattern, found)))
    lines = "".join(f"    *(.text*.{pattern})\n" for pattern in patterns)
    SCRIPT.write_text(HEADER + lines + FOOTER)
    matches = re.compile("|".join(map(fnmatch.translate, patterns))).match
    hot = sum(size for name, size in sizes.items() if matches(name))
    ran = sum(size for name, size in sizes.items() if name in called)
    print(f"{SCRIPT}: {len(patterns)} lines of {hot} bytes; {ran} of {sum(sizes.values())} bytes were called")


if __name__ == "__main__":
    main()
