#!/usr/bin/env bash
# Every C file is as clang-format 14 with .clang-format leaves it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

n_passed=0 n_failed=0
while IFS= read -r file; do
    if clang-format "$file" | cmp -s - "$file"; then
        n_passed=$((n_passed + 1))
    else
        echo "not formatted: $file (clang-format -i $file)"
        n_failed=$((n_failed + 1))
    fi
done < <(find shard models nodes coordinator tests bench -name '*.[ch]' -type f 2>/dev/null | sort)
echo "$n_passed passed, $n_failed failed"
[ "$n_failed" = 0 ]
