#!/usr/bin/env bash
# Makes the package of the platform it runs on, and runs the unit tests with what is in it:
#     bash scripts/package/prebuild.sh KEY        # of packages/platforms.json
# for machines that have Node and are thrown away afterwards: it installs compilers and, where the system has no fitting
# OpenBLAS, builds one. Tried on Debian 12 for x64 (and there cross-built for arm64: test/arm64); on Alpine, macOS and Windows
# it has not been run yet.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

key=$1
# What Debian 12 has, with which all tests were run.
openblas=0.3.21
openblas_sha256=f36ba3d7a60e7c8bcc54cd9aaa9b1223dd42eaf02c811791c37e8ca707c241ca
options=()

say() { printf 'prebuild: %s\n' "$*"; }

prepare() {
  case $key in
    linux-*) # libopenblas.a of Debian: the pthread build, for all processors
      apt-get update -qq
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        cmake g++ make libopenblas-pthread-dev >/dev/null
      ;;
    linuxmusl-*)
      apk add --quiet cmake curl g++ gfortran linux-headers make perl
      build_openblas
      ;;
    darwin-*) # Homebrew's OpenBLAS is built for OpenMP
      brew install --quiet cmake gcc
      build_openblas FC="$(find "$(brew --prefix)/bin" -name 'gfortran-*' | sort | tail -n 1)"
      ;;
    win32-*) # in a shell of MSYS2, UCRT64
      pacman -S --noconfirm --needed make curl \
        mingw-w64-ucrt-x86_64-{cmake,gcc,gcc-fortran,ninja}
      build_openblas
      ;;
  esac
}

# As Debian builds it: threads of its own kind, and kernels for every processor, of which one is chosen at run time.
build_openblas() {
  local folder=$PWD/packages/out/openblas file=OpenBLAS-$openblas.tar.gz
  mkdir -p "$folder"
  (
    cd "$folder"
    curl --fail --silent --show-error --location --output "$file" \
      "https://github.com/OpenMathLib/OpenBLAS/releases/download/v$openblas/$file"
    [[ $(node -p 'crypto.createHash("sha256").update(fs.readFileSync(process.argv[1])).digest("hex")' "$file") == "$openblas_sha256" ]] ||
      { say "$file is not the file that was expected" && false; }
    tar -xzf "$file"
    say "building OpenBLAS $openblas"
    make -C "OpenBLAS-$openblas" -j "$(getconf _NPROCESSORS_ONLN)" libs netlib \
      DYNAMIC_ARCH=1 USE_OPENMP=0 NUM_THREADS=64 NO_SHARED=1 NO_CBLAS=1 NO_LAPACKE=1 NO_AFFINITY=1 "$@" >make.log ||
      { tail -n 50 make.log && false; }
    ln -f "OpenBLAS-$openblas"/libopenblas*.a libopenblas.a
  )
  options+=("-DSTATIC_OPENBLAS_LIBRARY=$folder/libopenblas.a")
}

# All but those of other builds: inside a checkout, and with faults for tests.
unit_tests() {
  local rooms=(test/{api,algorithms,arguments,array,golden,native,testing,weights}) others=() file
  for file in test/native/binary.test.ts $(grep -rl support/faults "${rooms[@]}"); do others+=(--exclude "$file"); done
  FACTORED_SVD_BINARY=$PWD/packages/out/factored-svd-$key/factored_svd.node npx vitest run "${others[@]}" "${rooms[@]}"
}

say "preparing $key"
prepare
npm ci --ignore-scripts --no-audit --no-fund
npm run build:lib
npm run package:platform -- "$key" ${options[@]+"${options[@]}"} # the bash of macOS takes an empty array for unset
unit_tests
