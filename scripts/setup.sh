#!/usr/bin/env bash
# Prepares a fresh checkout: system packages, npm packages, the native addon and the library. Run it again at will.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

check_node() {
  command -v node >/dev/null || fail 'Node.js 20.17 or newer is needed and node was not found: https://nodejs.org/en/download'
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 17) ? 0 : 1)' ||
    fail "Node.js 20.17 or newer is needed, this is $(node --version): https://nodejs.org/en/download"
  command -v npm >/dev/null || fail 'npm is needed and was not found: it comes with https://nodejs.org/en/download'
}

has_any() {
  local program
  for program in "$@"; do
    if command -v "$program" >/dev/null; then return 0; fi
  done
  return 1
}

installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

missing_packages() {
  has_any cmake || echo cmake
  has_any g++ clang++ || echo g++
  has_any make ninja || echo make
  if has_any dpkg-query && ! installed libopenblas-dev; then echo libopenblas-dev; fi
}

install_packages() {
  local packages as_root=
  packages=$(missing_packages | paste -sd ' ' -)
  if [[ -z $packages ]]; then return 0; fi
  has_any apt-get || fail "install these, and OpenBLAS with its headers, with the package manager of this system: $packages"
  if ((EUID != 0)); then
    has_any sudo || fail "as root, run: apt-get install $packages"
    as_root=sudo
  fi
  say "installing $packages"
  $as_root apt-get update -qq
  # shellcheck disable=SC2086 # several words
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
}

# Install scripts stay off: no dependency needs one, and our own, the build of the addon, is the next step.
install_npm_packages() {
  local known=node_modules/.installed-lock.json # what was installed from, by its content: times say nothing after a copy
  if cmp -s package-lock.json "$known"; then return 0; fi
  say 'installing the npm packages'
  npm ci --ignore-scripts --no-audit --no-fund
  cp package-lock.json "$known"
}

check_node
install_packages
install_npm_packages
say 'building the addon'
npm run --silent build:native
say 'building the library'
npm run --silent build:lib
say 'done'
