#!/usr/bin/env bash
# The rules of the tree: who may include whom, one door per dependency, and what every source file owes its reader.
# In: a checkout (argument, default: the one this script is in). Out: one line per violation; exit code 1 if any.
set -euo pipefail
root=${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
cd "$root"

folders='shard models nodes coordinator'
top_level='coordinator nodes shard models slurm tests bench docs'

# Foreign header (extended regular expression on the text between the include's brackets) => the files that may see it.
# A door may be split: NAME*.c stands for NAME.c and NAME_more.c.
doors='
^mpi\.h$                                => shard/channel*.c coordinator/main.c
^lib(av[a-z]*|sw[a-z]*)/                => nodes/decoder*.c nodes/probe*.c
^(openblas-serial/)?cblas\.h$           => models/backend_openblas*.c
^(oneapi/dnnl/)?dnnl[a-z_]*\.h$         => models/backend_onednn*.c models/backend_onednn_private.h
\.pb-c\.h$                              => shard/wire*.c models/onnx_reader*.c coordinator/journal*.c
^protobuf-c/                            => shard/wire*.c models/onnx_reader*.c coordinator/journal*.c
^sqlite3\.h$                            => coordinator/report/*.c
^j(peglib|error|config)\.h$               => nodes/crop_jpeg*.c
^seccomp\.h$                            => nodes/sandbox*.c
^linux/(seccomp|landlock|filter)\.h$    => nodes/sandbox*.c
^nettle/                                => shard/hash*.c
^isa-l(/|\.h$)                          => shard/hash*.c
'

# Longest file, in lines, of the program and of the tests; and the files beyond, each with the reason why one file is the
# better read.
longest_source=550
longest_test=700
long_files='
models/onnx_reader.c   the one door for the generated ONNX types
nodes/decoder.c        the one door for libavcodec; its parts share one state
nodes/probe.c          the one door for libavformat facts
'

# Folders in whose headers or sources the head comment of one file at least says what flows in and what flows out.
flow_folders='shard models nodes coordinator/report'

n_violations=0
violation() {
    echo "layering: $*"
    n_violations=$((n_violations + 1))
}

# matches FILE PATTERN...: whether one of the shell patterns is FILE's
matches() {
    local file=$1 pattern
    shift
    for pattern in "$@"; do
        # shellcheck disable=SC2254 # a pattern on purpose
        case $file in
        $pattern) return 0 ;;
        esac
    done
    return 1
}

# may_include FILE TARGET: our own headers, by folder
may_include() {
    case $1 in
    shard/*) matches "$2" 'shard/*' ;;
    models/*)
        matches "$2" 'models/*' shard/aggregate.h shard/status.h shard/log.h shard/hash.h shard/file.h shard/text.h
        ;;
    nodes/*) matches "$2" 'shard/*' 'models/*' 'nodes/*' ;;
    # The program's commands join the folders (docs/DECISIONS.md), through what those folders offer to others.
    coordinator/main*)
        matches "$2" 'shard/*' 'coordinator/*' nodes/agent.h nodes/finds.h nodes/video_open.h nodes/lane_pool.h nodes/zygote.h nodes/decoder.h nodes/sandbox.h \
            models/detector.h models/detector_set.h models/card.h models/zoo.h models/run_npy.h models/check.h models/bench.h models/network.h
        ;;
    coordinator/*) matches "$2" 'shard/*' 'coordinator/*' ;;
    *) return 0 ;; # tests and benches see all
    esac
}

sources() {
    local folder
    for folder in "$@"; do
        [ ! -d "$folder" ] || find "$folder" -type f -name '*.[ch]'
    done | sort
}

check_includes() {
    local file line text bracket target pattern files i
    local include='^[^"<]*(["<])([^">]+)[">]' patterns=() allowed=()
    while read -r pattern files; do
        [ -n "$pattern" ] || continue
        patterns+=("$pattern") allowed+=("${files#=> }")
    done <<<"$doors"
    # shellcheck disable=SC2086 # lists of words
    while IFS=: read -r file line text; do
        [[ $text =~ $include ]] || continue
        bracket=${BASH_REMATCH[1]} target=${BASH_REMATCH[2]}
        if [[ $file != tests/* && $file != bench/* ]]; then
            for i in "${!patterns[@]}"; do
                if [[ $target =~ ${patterns[i]} ]] && ! matches "$file" ${allowed[i]}; then
                    violation "$file:$line: <$target> has its door in: ${allowed[i]}"
                fi
            done
        fi
        # Foreign headers are done with; generated ones have no folder, and the doors above hold them.
        if [ "$bracket" = '<' ] || [[ $target == *.pb-c.h ]]; then
            continue
        fi
        if [[ /$target == */../* || /$target == */./* ]]; then
            violation "$file:$line: \"$target\": includes are relative to the root"
        elif [ ! -f "$target" ]; then
            violation "$file:$line: \"$target\": no such file from the root"
        elif ! may_include "$file" "$target"; then
            violation "$file:$line: ${file%%/*}/ may not include $target"
        fi
    done < <(sources $folders tests bench | xargs -r grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' /dev/null)
}

check_files() {
    local file n_lines longest folder found begins
    # shellcheck disable=SC2086
    while read -r n_lines file; do
        longest=$longest_source
        case $file in
        total) continue ;;
        tests/* | bench/*) longest=$longest_test ;;
        esac
        if [ "$n_lines" -gt "$longest" ] && ! grep -qE "^${file}[[:space:]]+[^[:space:]]" <<<"$long_files"; then
            violation "$file: $n_lines lines; split it, or give the reason in tests/layering.sh"
        fi
    done < <(sources $folders bench | xargs -r wc -l)
    # shellcheck disable=SC2086
    while IFS= read -r file; do
        IFS= read -r -n 3 begins <"$file" || true
        [ "$begins" = '/* ' ] || violation "$file: begins without the comment that maps it"
    done < <(sources $folders | grep '\.h$')
    for folder in $flow_folders; do
        [ -d "$folder" ] || continue
        found=0
        for file in "$folder"/*.[ch]; do
            [ -f "$file" ] || continue
            if head -n 30 "$file" | grep -q 'In:' && head -n 30 "$file" | grep -q 'Out:'; then
                found=1
                break
            fi
        done
        [ "$found" = 1 ] || violation "$folder/: no file says at its head what flows In: and Out:"
    done
}

# Folders at the top are the data flow and nothing else; what git ignores is not looked at.
check_top_level() {
    local folder
    while IFS= read -r folder; do
        case " $top_level " in
        *" ${folder#./} "*) ;;
        *) violation "${folder#./}/: not among the top-level folders: $top_level" ;;
        esac
    done < <(find . -mindepth 1 -maxdepth 1 -type d ! -name '.*' ! -name 'build*' | sort)
}

# No path of one machine, in anything that is committed: home folders, temporary folders of one run, work trees.
check_paths() {
    local hit
    while IFS= read -r hit; do
        violation "a path of one machine: $hit"
    done < <(find . -type f ! -path './.git/*' ! -path './.git' ! -path './build*' ! -path './.cache/*' \
        ! -name layering.sh ! -name layering_test.sh \
        -exec grep -InE '(^|[^A-Za-z0-9_.])/(home|root|work|Users)/[A-Za-z0-9_.-]+' {} + | cut -c1-160 || true)
}

check_includes
check_files
check_top_level
check_paths
if [ "$n_violations" != 0 ]; then
    echo "layering: $n_violations violations"
    exit 1
fi
# shellcheck disable=SC2086
echo "layering: $(sources $folders tests bench | wc -l) files hold the rules"
