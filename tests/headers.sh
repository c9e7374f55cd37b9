#!/usr/bin/env bash
# Each header compiles alone, so that an include list never depends on what came before it. With gcc and clang, and
# with the flags of the file that build/compile_commands.json knows best: the include paths of its own folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

database=build/compile_commands.json
[ -f "$database" ] || { echo "headers: $database is absent; ./run build first"; exit 1; }
work=$(mktemp -d "${TMPDIR:-/tmp}/fakesift-headers.XXXXXX")
trap 'rm -rf "$work"' EXIT
# Every -I, -isystem and -D of the build, once: the paths of foreign headers differ from machine to machine.
mapfile -t paths < <(grep -oE '(-isystem |-I)[^ "\\]+|-D_GNU_SOURCE' "$database" | sort -u | tr ' ' '\n')

n_passed=0 n_failed=0
while IFS= read -r header; do
    # Twice: a header that lacks its guard fails.
    printf '#include "%s"\n#include "%s"\nextern int headers_alone;\nint headers_alone;\n' "$header" "$header" \
        >"$work/alone.c"
    for compiler in gcc clang; do
        if "$compiler" -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only "${paths[@]}" -I. "$work/alone.c"; then
            n_passed=$((n_passed + 1))
        else
            echo "failed: $header does not compile alone with $compiler"
            n_failed=$((n_failed + 1))
        fi
    done
done < <(find shard models nodes coordinator -name '*.h' -type f | sort)
echo "$n_passed passed, $n_failed failed"
[ "$n_failed" = 0 ]
