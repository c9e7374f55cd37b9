# shellcheck shell=bash disable=SC2030,SC2031,SC2154 # a step is a subshell on purpose; variables of ./run
# steps.sh: the steps of ./run test, in two streams that run beside each other. Sourced by ./run, whose $bold, $red, $green,
# $plain and $jobs it uses.
# In front, one after another, are the tests that mostly wait (ranks that start, leases that expire, a Slurm, a browser); behind
# them, with less right to the processors (nice 10), what computes: builds, unit and golden tests, static checks. So the machine
# is busy all the time, and a test that waits for three seconds has the processor when they are over.
# Every step runs in a subshell of its own and leaves a row in $steps; its line and, where it failed, its output are printed
# when it ends.

steps_begin() {
    steps=$(mktemp -d "${TMPDIR:-/tmp}/fakesift-steps.XXXXXX")
    steps_began=$SECONDS
    behind=
    trap 'steps_end' EXIT
}

steps_end() {
    [ -z "$behind" ] || kill -TERM -- "-$behind" 2>/dev/null || true
    rm -rf "$steps"
    rm -f "$log"
}

# count PASSED FAILED SKIPPED of the step at hand
count() {
    step_passed=$((step_passed + $1)) step_failed=$((step_failed + $2)) step_skipped=$((step_skipped + $3))
}

# step NAME FUNCTION [ARG...]: runs FUNCTION, which calls count.
step() {
    local name=$1
    shift
    (
        rc=0 began=$EPOCHREALTIME file=$steps/${name//[^a-z0-9]/_}
        log=$file.log step_passed=0 step_failed=0 step_skipped=0
        # "|| rc" also keeps set -e from ending the stream.
        "$@" >"$log" 2>&1 || rc=$?
        if [ "$rc" != 0 ] && [ "$step_failed" = 0 ]; then
            step_failed=1
        fi
        if [ $((step_passed + step_failed + step_skipped)) = 0 ]; then
            echo "$name: ran no test" >>"$log"
            step_failed=1
        fi
        times >"$file.times"
        step_tell
    ) || true
}

# The step's line, and its row: seconds of the clock, seconds of processors, passed, failed, skipped, name.
step_tell() {
    local wall cpu mark="${green}ok    ${plain}"
    # "0m1.5s 0m0.2s" twice: the subshell's own, and its children's.
    cpu=$(tr 'ms' '  ' <"$file.times" | awk '{ t += 60 * ($1 + $3) + $2 + $4 } END { printf "%.0f", t }')
    wall=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.0f", b - a }')
    [ "$step_failed" = 0 ] || mark="${red}FAILED${plain}"
    {
        flock 9
        printf '%5d %5d %5d %5d %5d  %s\n' "$wall" "$cpu" "$step_passed" "$step_failed" "$step_skipped" "$name" >>"$steps/rows"
        printf '%-32s %s  %d passed, %d failed, %d skipped  (%d s)\n' "$name" "$mark" "$step_passed" "$step_failed" \
            "$step_skipped" "$wall"
        if [ "$step_failed" != 0 ]; then
            sed 's/^/    /' "$log"
        else
            # Why something was skipped, and a time limit that was reached, are said even when all is well.
            sed -n 's/^\(SKIPPED\|NOTE\): /    \1: /p' "$log"
        fi
        : >"$file.done"
    } 9>"$steps/lock"
}

# behind FUNCTION: begins the stream behind; a process group of its own, which an interrupted run can end.
begin_behind() {
    set -m
    { renice -n 10 -p "$BASHPID" >"$steps/renice" && "$@" && : >"$steps/behind.done"; } </dev/null &
    behind=$!
    set +m
}

# await NAME: until that step of the other stream is over. Fails when that stream has ended without it.
await() {
    local mark=$steps/${1//[^a-z0-9]/_}.done
    until [ -e "$mark" ]; do
        kill -0 "$behind" 2>/dev/null || [ -e "$mark" ] || return 1
        read -rt 0.5 <> <(:) || true
    done
}

# steps_sum: waits for the stream behind, then what each step took, slowest first, and the sums; its code is the run's.
steps_sum() {
    local passed failed skipped wall=$((SECONDS - steps_began))
    wait "$behind" || true
    wall=$((SECONDS - steps_began))
    [ -e "$steps/behind.done" ] || printf '    0     0     0     1     0  the stream behind was cut off\n' >>"$steps/rows"
    printf '\n%s\n' 'seconds  processor seconds  step'
    sort -rn "$steps/rows" | while read -r w c _ _ _ name; do printf '%7d %18d  %s\n' "$w" "$c" "$name"; done
    read -r cpu passed failed skipped < <(awk '{ c += $2; p += $3; f += $4; s += $5 } END { print c, p, f, s }' "$steps/rows")
    printf '%7d %18d  %s\n\n' "$wall" "$cpu" "all, on $jobs processors"
    awk '$4 > 0 { print "failed: " substr($0, 32) }' "$steps/rows"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}
