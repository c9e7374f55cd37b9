#!/bin/sh
# The manual page or a shell's completion, from what the program says of its own commands (coordinator/main_manual.h).
# usage: manual.sh man|bash|zsh|fish FAKESIFT >FILE
set -eu
form=$1 fakesift=$2
here=$(cd "$(dirname "$0")" && pwd)

# Every command's line and, behind it, its own; `models` is its subcommands.
all() {
    "$fakesift" --manual | while IFS='	' read -r kind name purpose; do
        printf '%s\t%s\t%s\n' "$kind" "$name" "$purpose"
        "$fakesift" "$name" --manual | while IFS='	' read -r first second rest; do
            printf '%s\t%s\t%s\n' "$first" "$second" "$rest"
            if [ "$first" = command ]; then
                "$fakesift" "${second%% *}" "${second#* }" --manual
            fi
        done
    done
}
all | LC_ALL=C awk -F '\t' -v version="$("$fakesift" --version)" -f "$here/manual_$form.awk"
