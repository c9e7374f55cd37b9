# shellcheck shell=bash disable=SC2034 # what the scenarios use
# lib.sh: what the scenarios say: hand in, wait for a state, hold the work, compare. Sourced by scenario.sh.

: "${share:?set by slurm.sh}"
corpus=/mnt/data/corpus detector=/mnt/data/detector/card.json
export FAKESIFT=/mnt/data/fakesift FAKESIFT_SLURM=/mnt/data/slurm FAKESIFT_PROGRESS_S=1
n_videos=204

fail() {
    echo "FAILED: $*"
    exit 1
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "not within time: $*"
        read -rt 0.2 <> <(:) || true
    done
}

# submit RUN [SBATCH-OPTION...]: the plain template on three nodes; sets $job.
submit() {
    local run=$1
    shift
    job=$(sbatch --parsable --nodes=3 --cpus-per-task=2 --output="$share/job.out" "$@" \
        "$FAKESIFT_SLURM/fakesift.sbatch" "$corpus" "$detector" "$run" --grace 2)
}

# field NAME: of the job, as scontrol shows it
field() { scontrol -o show job "$job" 2>/dev/null | tr ' ' '\n' | sed -n "s/^$1=//p" | head -n 1; }
comment_of() { scontrol show job "$1" | sed -n 's/^ *Comment=//p'; }
job_is() { [ "$(field JobState)" = "$1" ]; }
restarts() { field Restarts; }
restarted() { [ "$(restarts)" = "$1" ] && job_is RUNNING; }
job_ended() { case $(field JobState) in COMPLETED | FAILED | CANCELLED | TIMEOUT | NODE_FAIL) ;; *) return 1 ;; esac; }
node_is() { [[ $(sinfo -h -n "$1" -p batch -o %T) == "$2" ]]; }

# Waits until the job is complete.
finished() {
    wait_for "${1:-90}" job_ended
    job_is COMPLETED || fail "job $job: $(field JobState) $(field Reason)"
}

decided() { "$FAKESIFT" status "$1" 2>/dev/null | sed -nE '1s/.*: ([0-9]+) of .*/\1/p'; }
some_decided() {
    local n
    ! job_ended || fail "job $job: $(field JobState)"
    n=$(decided "$1")
    [ "${n:-0}" -ge 10 ]
}

# pids_of NODE WHAT: lanes or ranks, as this namespace numbers them. NODE "all" is every node. A rank's child is its zygote,
# whose children are the lanes.
pids_of() {
    local pid
    for pid in $(ps -e -o pid=,ppid=,comm= | awk -v what="$2" '
        $3 == "fakesift" { parent[$1] = $2 }
        END {
            for (p in parent) {
                kind = "rank"
                if (parent[p] in parent) kind = parent[parent[p]] in parent ? "lane" : "zygote"
                if (kind == what) print p
            }
        }'); do
        [ "$1" = all ] || [ "$(nsenter --target "$pid" --uts hostname 2>/dev/null)" = "$1" ] || continue
        echo "$pid"
    done
}

# signal_all SIGNAL NODE WHAT: fails when there was none.
signal_all() {
    local pids
    pids=$(pids_of "$2" "$3")
    # shellcheck disable=SC2086 # several
    [ -n "$pids" ] && { kill "-$1" $pids 2>/dev/null || true; }
}

# hold RUN: the job is in the middle of its work, and stays there: its lanes are stopped, some videos are decided, some not.
# They are let go for a moment at a time until then, however fast the machine is.
hold() {
    local n end=$((SECONDS + 90))
    until signal_all STOP all lane && some_decided "$1"; do
        [ $SECONDS -lt $end ] || fail "not within time: ten videos of $job, $(field JobState)"
        release
        read -rt 0.05 <> <(:) || true
    done
    n=$(decided "$1")
    [ "$n" -lt $n_videos ] || fail "the work was done before it could be held: $n of $n_videos"
    echo "held with $n of $n_videos decided"
}
release() { signal_all CONT all lane || true; }

# The report of an undisturbed run, byte for byte; only the section on the execution itself differs.
same_report() {
    cmp /mnt/data/whole/scores.csv "$1/scores.csv" || fail "$1: other scores than the undisturbed run"
    cmp <(sed '/"execution":/,$d' /mnt/data/whole/report.json) <(sed '/"execution":/,$d' "$1/report.json") ||
        fail "$1: another report than the undisturbed run"
    if [ ! -s "$1/report.html" ] || [ ! -s "$1/results.sqlite" ]; then fail "$1: a part of the report is missing"; fi
}

# Processes of jobs: what slurmd starts, and what that starts.
left_over() {
    ps -e -o pid=,comm=,args= |
        awk '$2 ~ /^(fakesift|mpirun|orted|srun|slurmstepd|slurm_script)$/ { print; n++ } END { exit !n }'
}
nothing_left() { ! left_over >/dev/null; }
none_left() {
    local end=$((SECONDS + 25))
    until nothing_left; do
        [ $SECONDS -lt $end ] || { ps -e -o pid,ppid,stat,args; fail "processes are left: $(left_over)"; }
        read -rt 0.2 <> <(:) || true
    done
}

expect_text() { grep -qF -- "$2" "$1" || fail "$1 does not say: $2"; }
