#!/bin/sh
# Builds with clang and lld what runs on the DSP, into the folder that is named (default: this one): module.so, which sessions load,
# testdata/runner and testdata/emulator, with which tests run it under emulation, and build.txt, which says what they were made from and with.
set -eu
export LC_ALL=C
cd "$(dirname "$0")"
out=$(cd "${1:-.}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd src
for source in *.c; do
  clang --target=hexagon-unknown-linux-musl -mcpu=hexagonv67 -mhvx -mhvx-length=128b -nostdlib -ffreestanding -ffp-contract=off \
    -fPIC -fvisibility=hidden -O2 -Wall -Wextra -Werror -c "$source" -o "$work/${source%.c}.o"
done
mkdir -p "$out/testdata"
cd "$work"
# The DSP's loader knows the old form of hash tables only, and wants segments that share no page.
ld.lld -shared --strip-all --hash-style=sysv -z max-page-size=4096 -z separate-loadable-segments -o "$out/module.so" matmul.o module.o quantize.o
ld.lld --strip-all -o "$out/testdata/runner" runner.o matmul.o quantize.o
ld.lld --strip-all -o "$out/testdata/emulator" emulator.o
cd - >/dev/null

{
  clang --version | head -n 1
  ld.lld --version
  sha256sum ../build.sh *.c *.h | sed 's|\.\./||'
  cd "$out"
  sha256sum module.so testdata/emulator testdata/runner
} >"$out/build.txt"
