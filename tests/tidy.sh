#!/usr/bin/env bash
# clang-tidy with .clang-tidy over the program's sources. A file that passed is not looked at again until it, a header of
# ours, or the checks change (.cache/tidy holds the marks). After FAKESIFT_TIDY_SECONDS (default 420) no further
# file is begun; those not reached count as skipped and are named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

database=build-clang
[ -f "$database/compile_commands.json" ] || { echo "tidy: $database/compile_commands.json is absent"; exit 1; }
marks=.cache/tidy
limit_s=${FAKESIFT_TIDY_SECONDS:-420}
mkdir -p "$marks"
work=$(mktemp -d "${TMPDIR:-/tmp}/fakesift-tidy.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Two checks of .clang-tidy's groups are off. NullDereference: the analyzer sees one file at a time, so it believes that
# error_set(), of another file, might return STATUS_OK, and that a ret_x that a failure left alone is then used.
# implicit-widening: int * size in an index is everywhere, and its bounds are checked where the numbers come from.
checks=-clang-analyzer-core.NullDereference,-bugprone-implicit-widening-of-multiplication-result

# The analyzer walks at most so many nodes of a function's graph of paths; its own bound is 225,000, at which three quarters of the
# time go to the few largest functions (measured: 2.2 to 2.5 times the processor time of 75,000).
max_nodes=75000
[ -z "${FAKESIFT_LONG:-}" ] || max_nodes=225000
analyzer=(--extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang "--extra-arg=max-nodes=$max_nodes")

common=$({
    echo "$checks ${analyzer[*]}"
    clang-tidy --version
    cat .clang-tidy
    find shard models nodes coordinator -name '*.h' -type f | sort | xargs -r cat
} | sha256sum)

# shellcheck disable=SC2086 # the analyzer's words have no spaces
# tidy FILE MARK: passes (and marks) or leaves FILE.failed / FILE.late in the work folder.
tidy() {
    local name=${1//\//_}
    if [ "$(date +%s)" -ge "$deadline" ]; then
        echo "$1" >"$work/$name.late"
    elif clang-tidy --quiet --checks="$checks" $analyzer_words -p "$database" "$1" >"$work/$name.out" 2>&1; then
        : >"$2"
    else
        mv "$work/$name.out" "$work/$name.failed"
    fi
}
export -f tidy
deadline=$(($(date +%s) + limit_s))
analyzer_words=${analyzer[*]}
export database work deadline checks analyzer_words

while IFS= read -r file; do
    mark=$marks/$({ echo "$common $file" && cat "$file"; } | sha256sum | cut -c1-32)
    [ -e "$mark" ] || printf '%s\0%s\0' "$file" "$mark"
done < <(find shard models nodes coordinator -name '*.c' -type f | sort) >"$work/todo"
n_files=$(find shard models nodes coordinator -name '*.c' -type f | wc -l)
# shellcheck disable=SC2016 # expanded by the inner shell
xargs -0 -r -n 2 -P "$(nproc)" bash -c 'tidy "$1" "$2"' tidy <"$work/todo"

n_failed=$(find "$work" -name '*.failed' | wc -l)
n_skipped=$(find "$work" -name '*.late' | wc -l)
find "$work" -name '*.failed' -exec grep -hvE '^[0-9]+ warnings? generated|^Suppressed|^Use -header-filter' {} + || true
if [ "$n_skipped" -gt 0 ]; then
    echo "SKIPPED: after $limit_s s: $(cat "$work"/*.late | tr '\n' ' ')"
fi
echo "$((n_files - n_failed - n_skipped)) passed, $n_failed failed, $n_skipped skipped"
[ "$n_failed" = 0 ]
