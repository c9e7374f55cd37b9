#!/usr/bin/env bash
# Which lines of our own (shard, models, nodes, coordinator) the tests execute: units, ONNX's cases, and the program as its users
# run it, in a build of the coverage preset. Prints the least covered files and the figure; fails below FAKESIFT_COVERAGE_MIN (85).
# usage: coverage.sh BUILD [CTEST-OPTION...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$1
shift
least=${FAKESIFT_COVERAGE_MIN:-85}

find "$build" -name '*.gcda' -delete
# Ranks and lanes write their counts when they end; tests that kill them at an instant add nothing to count, and those of the
# sandbox need it closed.
n_failed=0
FAKESIFT_COVERAGE_OPEN='' ctest --test-dir "$build" -j "$(nproc)" --output-on-failure -L unit "$@" || n_failed=1
FAKESIFT_COVERAGE_OPEN=1 ctest --test-dir "$build" -j "$(nproc)" --output-on-failure -L 'process|golden' \
    -E 'crash|hung_rank|idle|faulty_lanes|full_disk|install|networks|faces_|native' "$@" || n_failed=$((n_failed + 1))

mkdir -p .cache
gcovr --root . --object-directory "$build" --filter '(shard|models|nodes|coordinator)/' \
    --gcov-ignore-parse-errors -j "$(nproc)" --txt .cache/coverage.txt --json-summary .cache/coverage.json "$build"
/usr/bin/python3 - "$least" "$n_failed" <<'PYTHON'
import json
import sys

summary = json.load(open(".cache/coverage.json"))
files = sorted(summary["files"], key=lambda f: f["line_total"] - f["line_covered"], reverse=True)
print("most lines without a test:")
for f in files[:20]:
    print(f"{f['line_total'] - f['line_covered']:6} of {f['line_total']:5}  {f['filename']}")
percent = 100 * summary["line_covered"] / summary["line_total"]
good = percent >= float(sys.argv[1]) and sys.argv[2] == "0"
if sys.argv[2] != "0":
    print("some tests failed, see above")
print(f"{summary['line_covered']} of {summary['line_total']} lines: {percent:.1f} % (limit {sys.argv[1]} %)")
print(f"{int(good)} passed, {int(not good)} failed")
sys.exit(not good)
PYTHON
