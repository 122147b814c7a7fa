#!/usr/bin/env bash
# What `npm run package:platform -- linux-arm64` needs where the processor is another one: the cross compiler of Debian,
# and OpenBLAS for arm64, which is only unpacked into packages/out/sysroot-arm64 (the architectures that the system's own
# apt and dpkg know stay as they are). For native/static/aarch64-linux-gnu.cmake. Run it again at will.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

sysroot=packages/out/sysroot-arm64
compiler=g++-aarch64-linux-gnu
library=libopenblas-pthread-dev

fail() {
  printf 'sysroot-arm64: %s\n' "$*" >&2
  exit 1
}

install_compiler() {
  local as_root=()
  if command -v aarch64-linux-gnu-g++ >/dev/null; then return 0; fi
  if ((EUID != 0)); then as_root=(sudo); fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$compiler" >/dev/null ||
    fail "could not install $compiler"
}

# apt with the system's sources and keys, but lists, state and downloads in a folder of its own, and arm64 for its processor.
unpack_library() {
  if [[ -n $(find "$sysroot" -name libopenblas.a 2>/dev/null) ]]; then return 0; fi
  apt=$(mktemp -d)
  trap 'rm -rf "$apt"' EXIT
  mkdir -p "$apt"/{lists/partial,cache/archives/partial,debs}
  touch "$apt/status"
  local options=(-qq
    -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root
    -o Dir::State="$apt" -o Dir::State::status="$apt/status" -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache")
  apt-get "${options[@]}" update || fail "apt has no package lists for arm64"
  (cd "$apt/debs" && apt-get "${options[@]}" download "$library") ||
    fail "the sources of apt have no $library for arm64 (Ubuntu keeps it on a server of its own: add that one)"
  dpkg -x "$apt"/debs/*.deb "$sysroot"
}

command -v apt-get >/dev/null ||
  fail "apt-get was not found. Build on an arm64 machine, or on Debian: it has the compiler ($compiler) and OpenBLAS ($library)"
mkdir -p "$sysroot"
install_compiler
unpack_library
