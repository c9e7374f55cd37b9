#!/usr/bin/env bash
# Every shell script of the project passes shellcheck; every Python script compiles.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

n_passed=0 n_failed=0
verdict() {
    if "$@"; then
        n_passed=$((n_passed + 1))
    else
        n_failed=$((n_failed + 1))
    fi
}

verdict shellcheck -x run .ci/run
while IFS= read -r file; do
    verdict shellcheck -x -P SCRIPTDIR "$file"
done < <(find slurm tests bench docs -type f \( -name '*.sh' -o -name '*.sbatch' \) 2>/dev/null | sort)
while IFS= read -r file; do
    # Compiled in memory: nothing is written beside the source.
    verdict python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$file"
done < <(find coordinator models nodes shard slurm tests bench -name '*.py' -type f 2>/dev/null | sort)
echo "$n_passed passed, $n_failed failed"
[ "$n_failed" = 0 ]
