#!/bin/sh
# Builds the kernels for the DSP with clang and lld, into the folder that is named (default: this one):
# kernels.o, testdata/runner, and build.txt, which says what they were made from and with.
set -eu
export LC_ALL=C
cd "$(dirname "$0")"
out=$(cd "${1:-.}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd src
for source in *.c; do
  clang --target=hexagon-unknown-linux-musl -mcpu=hexagonv67 -mhvx -mhvx-length=128b -nostdlib -ffreestanding -ffp-contract=off \
    -O2 -Wall -Wextra -Werror -c "$source" -o "$work/${source%.c}.o"
done
mv "$work/runner.o" "$work/runner"
mkdir -p "$out/testdata"
ld.lld -r -o "$out/kernels.o" "$work"/*.o
ld.lld --strip-all -o "$out/testdata/runner" "$work/runner" "$out/kernels.o"

{
  clang --version | head -n 1
  ld.lld --version
  sha256sum ../build.sh *.c *.h | sed 's|\.\./||'
  cd "$out"
  sha256sum kernels.o testdata/runner
} >"$out/build.txt"
