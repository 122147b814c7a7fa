#!/usr/bin/env bash
# The tests of the computation, and a short fuzz of the API, over an addon with address and undefined-behaviour
# sanitizers: `npm run sanitize [-- SECONDS]`, seconds of fuzzing (default 20).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=native/build-sanitized
npx cmake-js configure -D -O "$folder" --CDFSVD_SANITIZE=address,undefined
npx cmake-js build -D -O "$folder"

# native/core knows nothing of Node: it is compiled, tested and fuzzed alone.
mapfile -t core < <(node -p "require('./native/sources.json').core.join('\\n')")
core_program() {
  local name=$1 sanitizers=$2 source=$3
  g++ -std=c++17 -g -O1 "-fsanitize=$sanitizers" -fno-sanitize-recover -DFSVD_FAULTS -Inative "${core[@]}" "$source" \
    -o "$folder/$name" -lopenblas -pthread
}
core_program pool thread native/test/pool.cc
TSAN_OPTIONS=halt_on_error=1 "$folder/pool"
core_program pool address,undefined native/test/pool.cc
"$folder/pool"
core_program fuzz-core address,undefined native/fuzz/core.cc
"$folder/fuzz-core" "${1:-20}"

# Node itself is not built with the sanitizers, so their libraries come first. Leaks are not looked for: Node leaves what
# it has for the system to take back. Memory that is asked for and not had is an error of the package, not of the test.
preload="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libubsan.so)"
export FACTORED_SVD_BINARY="$PWD/$folder/Debug/factored_svd.node"
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

# Tests that count memory are left out: the sanitizers take some of their own.
LD_PRELOAD=$preload node node_modules/vitest/vitest.mjs run -t '^((?!no such memory).)*$' \
  test/{algorithms/{gauge,product,qr-paths},api/,array/{half-floats,input-forms,nested}}
LD_PRELOAD=$preload node scripts/fuzz-api.mjs --seconds "${1:-20}"
