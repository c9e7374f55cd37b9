#!/bin/bash
# Whatever is killed or stopped at whatever instant, no record is lost, nothing is left running, and after restarts the
# scores are those of an undisturbed run, byte for byte. CRASH_ROUNDS and CRASH_SEED: more of it, or other instants.
# shellcheck disable=SC2086 # process ids are split on purpose
. "$(dirname "$0")/lib.sh"
ROUNDS=${CRASH_ROUNDS:-10}
RANDOM=${CRASH_SEED:-1}
MAX_STARTS=6
N_CLIPS=56
corpus videos $N_CLIPS 3 320x240
total=$((N_CLIPS + 4))

start() { mpi -n 3 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o "$1" --lanes 1; }
milliseconds() { local t=$EPOCHREALTIME; echo $((${t%[.,]*} * 1000 + 10#${t#*[.,]} / 1000)); }
pause_ms() { read -rt "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))" <> <(:) || true; }

# The processes of this test: those that work in its folder.
ours() {
    local p
    for p in $(pgrep -x 'fakesift|mpirun|orted' || true); do
        if [ "$(readlink "/proc/$p/cwd" 2>/dev/null || true)" = "$WORK" ]; then echo "$p"; fi
    done
}
none_left() { [ -z "$(ours)" ]; }
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

disturb() {
    local who=$1 pids

    pids=$(victims "${who#stop-}")
    if [ "$who" != all ]; then pids=$(pick $pids); fi
    [ -n "$pids" ] || return 0
    if [ "$who" = "${who#stop-}" ]; then
        kill -9 $pids 2>/dev/null || true
    else
        kill -STOP $pids 2>/dev/null || true
        pause_ms $((RANDOM % 1200))
        kill -CONT $pids 2>/dev/null || true
    fi
}

# What status says is decided; before the first manifest there is nothing to say.
decided() {
    if [ ! -e "$1/manifest.csv" ]; then echo 0; return; fi
    "$FAKESIFT" status "$1" >status.out 2>&1 || { cat status.out >&2; fail "no status of $1"; }
    sed -nE "s/^$1: ([0-9]+) of $total videos decided.*/\1/p" status.out
}

began=$(milliseconds)
start whole >whole.out 2>whole.err || { cat whole.err; fail "the undisturbed run"; }
took=$(($(milliseconds) - began))
echo "undisturbed: $took ms"

kinds=(all rank0 agent zygote lane mpirun stop-rank0 stop-agent stop-zygote stop-lane)
for ((round = 0; round < ROUNDS; round++)); do
    run=run$round
    before=0
    for ((starts = 1, code = 75; code != 0; starts++)); do
        [ $starts -le $MAX_STARTS ] || fail "round $round: not complete after $MAX_STARTS starts"
        what=nothing
        start $run >run.out 2>run.err &
        job=$!
        PIDS=$job
        # The last starts are left alone, so that the run can end.
        if [ $starts -lt $((MAX_STARTS - 2)) ]; then
            what=${kinds[$(((round + 3 * starts) % ${#kinds[@]}))]}
            delay=$((RANDOM % (took * 11 / 10 + 1)))
            pause_ms $delay
            during=$(decided $run)
            [ "${during:-0}" -ge "$before" ] || fail "round $round: $before decided, then ${during:-nothing}, during a run"
            disturb "$what"
            what="$what after $delay ms"
        fi
        code=0
        wait $job 2>wait.err || code=$?
        PIDS=
        wait_for 20 none_left
        now=$(decided $run)
        echo "round $round, start $starts: $what: exit code $code, ${now:-?} of $total decided"
        [ "${now:-0}" -ge "$before" ] || { cat run.err; fail "round $round: $before decided, then ${now:-nothing}"; }
        before=$now
        case $what:$code in
        nothing:0 | stop-*:0) ;;
        nothing:* | stop-*:*) cat run.err; fail "round $round: exit code $code of a run that lost nobody" ;;
        esac
        [ $code -ne 0 ] || [ "$now" -eq $total ] || fail "round $round: exit code 0 with $now of $total"
    done
    cmp whole/scores.csv $run/scores.csv || fail "round $round gives other scores"
    rm -rf "$run"
done
