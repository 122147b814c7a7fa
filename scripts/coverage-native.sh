#!/usr/bin/env bash
# What the tests reach of the addon, line by line: `npm run coverage:native [-- TEST …]`, all tests by default. Prints a
# table of files and writes coverage/native/index.html. Needs gcovr (Debian: gcovr).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v gcovr >/dev/null || { echo 'coverage: install gcovr first (Debian, Ubuntu: apt-get install gcovr)' >&2; exit 1; }

folder=native/build-gcov
npx cmake-js configure -D -O "$folder" --CDFSVD_FAULTS=ON --CDFSVD_COVERAGE=ON
npx cmake-js build -D -O "$folder"
find "$folder" -name '*.gcda' -delete

# Counts are written when a process ends by itself, which those that vitest forks do not.
FACTORED_SVD_BINARY=$PWD/$folder/Debug/factored_svd.node npx vitest run --pool=threads "$@" || failed=$?

mkdir -p coverage/native
gcovr --root . --filter native/ --object-directory "$folder" --txt --html-details coverage/native/index.html
exit "${failed:-0}"
