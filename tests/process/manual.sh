#!/bin/bash
# The manual page and the completions say what --help says: every option of every command, and no other; the page is sound roff,
# and bash completes commands, options and the words that an option takes.
. "$(dirname "$0")/lib.sh"

for form in man bash zsh fish; do
    sh "$SOURCE/docs/manual.sh" $form "$FAKESIFT" >manual.$form || fail "no $form"
done
# long FILE: the long options in a text, sorted.
long() { grep -oE -- '--[a-z][a-z0-9-]*' "$1" | sort -u; }
common='^--(help|usage|version|manual)$'

mapfile -t commands < <({ "$FAKESIFT" --manual; "$FAKESIFT" models --manual; } | cut -f 2 | grep -vx models)
[ ${#commands[@]} -ge 15 ] || fail "only ${#commands[@]} commands"
for command in "${commands[@]}"; do
    # shellcheck disable=SC2086 # `models info` is two words
    "$FAKESIFT" $command --help >help
    # Options stand in the left column of --help, in their own section of the page.
    grep -E '^  (-., |    )--[a-z]' help | sed -E 's/^ +(-., )?(--[a-z0-9-]+).*/\2/' | grep -vE "$common" | sort >wanted || true
    awk -v head=".SS fakesift $command [" 'index($0, ".S") == 1 { on = 0 } index($0, head) == 1 { on = 1 } on' manual.man >section
    [ -s section ] || fail "the page has no section of $command"
    # A head is "\fB\-\-detector\fR=\fINAME\fR".
    sed -nE 's/^(\\fB\\-.\\fR, )?\\fB\\-\\-([^ ]*)\\fR.*/--\2/p' section | sed -e 's/\\fR.*//' -e 's/\\-/-/g' -e 's/^-*/--/' | sort >got
    diff wanted got || fail "$command: options of --help (<) and of the page (>)"
    grep -E "^ *'$command'\) words='.*--help' ;;" manual.bash >line || fail "bash: no options of $command"
    long line | grep -vE "$common" | sort >got || true
    diff wanted got || fail "$command: options of --help (<) and of bash (>)"
    while read -r option; do
        grep -qE -- "'$option(=-|=|\[)" manual.zsh || fail "zsh: no $option of $command"
        grep -qE -- "${command##* }.* -l ${option#--} " manual.fish || fail "fish: no $option of $command"
    done <wanted
done
if command -v groff >/dev/null; then
    groff -man -Tutf8 -ww manual.man 2>warnings >page || fail "groff"
    [ ! -s warnings ] || { cat warnings; fail "groff warns"; }
fi
if command -v zsh >/dev/null; then zsh -n manual.zsh || fail "zsh cannot read its completion"; fi
if command -v fish >/dev/null; then fish -n manual.fish || fail "fish cannot read its completion"; fi

# complete_line WORD...: what bash offers for the last word, on one line.
complete_line() {
    bash -c '. ./manual.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fakesift 2>/dev/null; echo "${COMPREPLY[*]}"' bash "$@"
}
expect_completion() {
    local want=$1 got
    shift
    got=$(complete_line "$@")
    [ "$got" = "$want" ] || fail "completion of '$*' is '$got', not '$want'"
}
touch clip.mp4
expect_completion 'run report' fakesift r
expect_completion 'fetch' fakesift models f
expect_completion '--save-crops --save-features= --save-frame-scores' fakesift run --save
expect_completion 'dfdc' fakesift scan --layout df
expect_completion 'openblas onednn' fakesift models bench --backend = o
expect_completion 'clip.mp4' fakesift explain run clip
echo "${#commands[@]} commands, $(grep -c '^\.TP' manual.man) entries in the page"
