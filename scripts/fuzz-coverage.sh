#!/usr/bin/env bash
# Coverage-guided fuzzing of the kernels behind their checked interface, under sanitizers:
#   npm run fuzz:coverage [-- SECONDS [SEED]]      default 600, and a seed of its own
# Needs clang with libFuzzer (Debian: clang libclang-rt-dev). What it learns is kept in native/build-coverage/corpus; an
# input that fails is written to native/build-coverage and repeated by `native/build-coverage/fuzz-kernels FILE`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=native/build-coverage
mkdir -p "$folder/corpus"
mapfile -t sources < <(node -p "require('./native/sources.json').core.join('\n')" | grep -v /xerbla.cc)  # the fuzzer has its own
sources+=(native/binding/arguments.cc native/binding/kernels.cc native/fuzz/kernels.cc)

compile() {
  local object=$1/${2//\//_}.o
  clang++ -std=c++17 -g -O1 -fno-sanitize-recover=all -fsanitize=fuzzer-no-link,address,undefined -Inative -c "$2" -o "$object"
}
export -f compile
rm -f "$folder"/*.o
printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -I{} bash -c 'compile "$@"' _ "$folder" {}
clang++ -fsanitize=fuzzer,address,undefined "$folder"/*.o -o "$folder/fuzz-kernels" -lopenblas -pthread

# Seeds: right calls of every kernel, in both types, with a few shapes and layouts.
node - "$folder/corpus" <<'JS'
const { writeFileSync } = require('node:fs');
const folder = process.argv[2];
const shapes = [[5, 4, 3, 2, 2, 0], [0, 3, 2, 0, 1, 1], [12, 17, 9, 20, 3, 2], [38, 35, 20, 1, 1, 0], [1, 1, 1, 1, 2, 0]];
for (let kernel = 0; kernel < 32; kernel++)
  for (const narrow of [0, 1])
    for (const [i, shape] of shapes.entries())
      for (const layout of [0, 1, 3])
        writeFileSync(
          `${folder}/seed-${kernel}-${narrow}-${i}-${layout}`,
          Uint8Array.of(kernel, narrow, ...shape, 0, ...new Array(96).fill(layout)),
        );
JS

"$folder/fuzz-kernels" -seed="${2:-0}" -max_total_time="${1:-600}" -max_len=256 -timeout=60 -artifact_prefix="$folder/" -verbosity=0 \
  -print_final_stats=1 "$folder/corpus"
