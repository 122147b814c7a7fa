#!/usr/bin/env bash
# The tests of the computation, and a short fuzz of the API, over an addon with address and undefined-behaviour
# sanitizers: `npm run sanitize [-- SECONDS]`, seconds of fuzzing (default 20).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=native/build-sanitized
npx cmake-js configure -D -O "$folder" --CDFSVD_SANITIZE=address,undefined
npx cmake-js build -D -O "$folder"

# native/core knows nothing of Node: it is compiled and fuzzed alone.
mapfile -t core < <(node -p "require('./native/sources.json').core.join('\\n')")
g++ -std=c++17 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover -Inative "${core[@]}" native/fuzz/core.cc \
  -o "$folder/fuzz-core" -lopenblas -pthread
"$folder/fuzz-core" "${1:-20}"

# Node itself is not built with the sanitizers, so their libraries come first. Leaks are not looked for: Node leaves what
# it has for the system to take back. Memory that is asked for and not had is an error of the package, not of the test.
preload="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libubsan.so)"
export FACTORED_SVD_BINARY="$PWD/$folder/Debug/factored_svd.node"
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

# Tests that count memory are left out: the sanitizers take some of their own.
LD_PRELOAD=$preload node node_modules/vitest/vitest.mjs run -t '^((?!no such memory).)*$' \
  test/{accuracy,async,dist,errors,factored-matrix,input-forms,product-svd,qr-paths,svd}.test.ts
LD_PRELOAD=$preload node scripts/fuzz-api.mjs --seconds "${1:-20}"
