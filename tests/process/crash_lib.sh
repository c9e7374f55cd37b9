# shellcheck shell=bash disable=SC2034,SC2086,SC2154 # process ids are split on purpose; variables of the scripts that source this
# crash_lib.sh: a corpus of many tiny clips, and who is killed or stopped; for the scripts that disturb runs.

# many_clips FOLDER N: N labelled clips of one second, made by one ffmpeg, and four files that are no good. Sets total.
many_clips() {
    mkdir -p "$1/real" "$1/fake/blend"
    ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=160x120:rate=25:duration=$2,hue=H=t/9" -c:v libx264 \
        -preset ultrafast -pix_fmt yuv420p -g 25 -keyint_min 25 -sc_threshold 0 -f segment -segment_time 1 \
        -reset_timestamps 1 "$1/fake/blend/%03d.mp4"
    mv "$1"/fake/blend/*[13579].mp4 "$1/real/"
    [ "$(find "$1" -name '*.mp4' | wc -l)" -eq "$2" ] || fail "ffmpeg made other clips than asked for"
    echo 'not a video' > "$1/real/text.mp4"
    : > "$1/real/empty.mp4"
    head -c 400 "$1/real/001.mp4" > "$1/real/stump.mp4"
    mkfifo "$1/real/fifo.mp4"
    total=$(($2 + 4))
}

milliseconds() { local t=$EPOCHREALTIME; echo $((${t%[.,]*} * 1000 + 10#${t#*[.,]} / 1000)); }
pause_ms() { read -rt "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))" <> <(:) || true; }

# The processes of this test: those that work in its folder.
ours() {
    local p
    for p in $(pgrep -x 'fakesift|mpirun' || true); do
        if [ "$(readlink "/proc/$p/cwd" 2>/dev/null || true)" = "$WORK" ]; then echo "$p"; fi
    done
}
none_left() { [ -z "$(ours)" ]; }
no_rank_left() {
    local p
    for p in $(ours); do
        if [ "$(name_of "$p")" = fakesift ]; then return 1; fi
    done
}
# wait_gone SECONDS RECOVERY LOG: until the job has ended. With --enable-recovery mpirun may stay when all ranks are gone, and
# is told to go then, as a batch script would. LOG: a file that is there once the ranks were started.
wait_gone() {
    if [ -n "$2" ]; then
        wait_for "$1" started_or_gone "$3"
        wait_for "$1" no_rank_left
        # Between mpirun's child and the program that it becomes there is a moment without either.
        pause_ms 500
        wait_for "$1" no_rank_left
        for p in $(ours); do kill -TERM "$p" 2>/dev/null || true; done
    fi
    wait_for "$1" none_left
}
started_or_gone() { [ -e "$1" ] || none_left; }
parent_of() { awk '/^PPid:/ { print $2 }' "/proc/$1/status" 2>/dev/null || true; }
name_of() { cat "/proc/$1/comm" 2>/dev/null || true; }
rank_of() { { tr '\0' '\n' <"/proc/$1/environ"; } 2>/dev/null | sed -n 's/^OMPI_COMM_WORLD_RANK=//p' || true; }

# victims WHAT: process ids.
victims() {
    local p kind

    for p in $(ours); do
        kind=$(name_of "$p")
        if [ "$kind" = fakesift ]; then
            kind=rank$(rank_of "$p")
            if [ "$(name_of "$(parent_of "$p")")" = fakesift ]; then
                kind=zygote
                if [ "$(name_of "$(parent_of "$(parent_of "$p")")")" = fakesift ]; then kind=lane; fi
            fi
        fi
        case "$1:$kind" in all:* | lane:lane | zygote:zygote | mpirun:mpirun | rank0:rank0 | agent:rank[12]) echo "$p" ;; esac
    done
}

pick() { if [ $# -gt 0 ]; then shift $((RANDOM % $#)); echo "$1"; fi; }

# disturb WHAT MILLISECONDS: kills it, or stops it for so long. Sets hit to how many processes that were.
disturb() {
    local who=$1 pids

    pids=$(victims "${who#stop-}")
    if [ "$who" != all ]; then pids=$(pick $pids); fi
    hit=$(echo $pids | wc -w)
    [ -n "$pids" ] || return 0
    if [ "$who" = "${who#stop-}" ]; then
        kill -9 $pids 2>/dev/null || true
    else
        kill -STOP $pids 2>/dev/null || true
        pause_ms "$2"
        kill -CONT $pids 2>/dev/null || true
    fi
}

# What status says is decided; before the first manifest there is nothing to say.
decided() {
    if [ ! -e "$1/manifest.csv" ]; then echo 0; return; fi
    "$FAKESIFT" status "$1" >status.out 2>&1 || { cat status.out >&2; fail "no status of $1"; }
    sed -nE "s/^$1: ([0-9]+) of $total videos decided.*/\1/p" status.out
}

journal_bytes() { { cat "$1"/journal/*.journal 2>/dev/null || true; } | wc -c; }

# recorded_twice RUN: records beyond the first of a video.
recorded_twice() {
    "$FAKESIFT" status "$1" | awk '/videos were scored more than once/ { n = $1 } END { print n + 0 }'
}

# results_of RUN: the "results" of its report.json.
results_of() {
    python3 -c 'import json, sys; json.dump(json.load(open(sys.argv[1]))["results"], sys.stdout, indent=1)' "$1/report.json"
}
