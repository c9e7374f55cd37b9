# shellcheck shell=bash
# scenarios.sh: what befalls a job. Each function is a scenario. inside.sh starts the slow ones first.

: "${share:?set by slurm.sh}" "${corpus:?set by lib.sh}" "${detector:?}"

# The node's processes die and its address is gone. Slurm finds out, and requeues by itself.
scenario_node_killed_requeue() {
    submit "$share/run"
    hold "$share/run"
    node_kill n2
    wait_for 60 job_is PENDING
    finished
    [ "$(restarts)" = 1 ] || fail "$(restarts) restarts"
    same_report "$share/run"
    echo "requeued by Slurm on other nodes, $(decided "$share/run") decided"
}

# Told not to kill the job, Slurm leaves it running: the other ranks take over what the lost one had.
scenario_node_killed_recovery() {
    submit "$share/run" --no-kill
    hold "$share/run"
    node_kill n2
    wait_for 60 node_is n2 'down*'
    release
    finished
    [ "$(restarts)" = 0 ] || fail "$(restarts) restarts"
    same_report "$share/run"
    echo "no restart, the other ranks finished it"
}

# A node that nobody hears goes on working for a while, beside the job that was started again without it.
scenario_node_cut_off() {
    submit "$share/run"
    hold "$share/run"
    ip link set v-n3 down
    wait_for 60 job_is PENDING
    wait_for 60 restarted 1
    ip link set v-n3 up
    finished
    wait_for 60 node_is n3 'idle'
    same_report "$share/run"
    echo "requeued without it; healed, it is idle again"
}

# The same with the node of rank 0, which holds the run's lock as long as it believes to be alone in the world.
scenario_first_node_cut_off() {
    submit "$share/run"
    hold "$share/run"
    ip link set v-n1 down
    wait_for 60 restarted 1
    wait_for 60 grep -qE 'waiting: a job works on it|stopped early|done$' "$share/job.out"
    ip link set v-n1 up
    finished
    wait_for 60 node_is n1 'idle'
    same_report "$share/run"
    echo "the new start waited for the old one's lock"
}

# Too short for any timeout: nobody may notice.
scenario_short_cut() {
    submit "$share/run"
    hold "$share/run"
    ip link set v-n2 down
    release
    wait_for 60 grep -q . <(sleep 2; echo x)
    ip link set v-n2 up
    finished
    [ "$(restarts)" = 0 ] || fail "$(restarts) restarts"
    same_report "$share/run"
    echo "two seconds of silence cost nothing"
}

scenario_time_limit() {
    # Slurm's warning comes up to a minute early, here at once or after half a minute.
    submit "$share/run" --time=2 --signal=B:USR1@75
    hold "$share/run"
    wait_for 90 job_is PENDING
    scontrol update "JobId=$job" TimeLimit=30
    expect_text job.out 'told to stop: draining'
    expect_text job.out 'stopped early'
    expect_text job.out 'requeued'
    finished
    [ "$(restarts)" = 1 ] || fail "$(restarts) restarts"
    same_report "$share/run"
    echo "drained, requeued, finished"
}

scenario_preempted() {
    submit "$share/run" --nodes=4
    hold "$share/run"
    urgent=$(sbatch --parsable --partition=urgent --nodes=4 --output=/dev/null --wrap true)
    wait_for 60 job_is PENDING
    finished
    [ "$(restarts)" = 1 ] || fail "$(restarts) restarts"
    job=$urgent
    job_is COMPLETED || fail "the urgent job: $(field JobState)"
    same_report "$share/run"
    echo "gave way, was requeued, finished"
}

scenario_rank_killed() {
    submit "$share/run"
    hold "$share/run"
    signal_all KILL n2 rank
    release
    finished
    [ "$(restarts)" = 0 ] || fail "$(restarts) restarts"
    same_report "$share/run"
    echo "no restart, the other ranks finished it"
}

scenario_coordinator_killed() {
    submit "$share/run"
    hold "$share/run"
    signal_all KILL n1 rank
    wait_for 60 job_is PENDING
    expect_text job.out 'rank 0 died'
    finished
    same_report "$share/run"
    echo "requeued by its script, finished"
}

scenario_srun_rank_killed() {
    FAKESIFT_LAUNCH=srun submit "$share/run"
    hold "$share/run"
    signal_all KILL n2 rank
    wait_for 60 job_is PENDING
    finished
    # Open MPI 4.1.4 was seen to crash in a start of its own here, which is one more.
    [ "$(restarts)" -ge 1 ] || fail "$(restarts) restarts"
    ! grep -q 'attempt failed' job.out || fail "Slurm's TERM to every process of the step was taken for a crash"
    same_report "$share/run"
    echo "under srun --mpi=pmix: the step ended, was requeued ($(restarts)), finished"
}

scenario_stalled() {
    FAKESIFT_STALL_S=5 submit "$share/run"
    hold "$share/run"
    wait_for 60 job_is PENDING
    expect_text job.out 'stalled: no video was finished'
    finished
    same_report "$share/run"
    echo "ended by the watchdog, requeued, finished"
}

# What cannot work is not tried for ever.
scenario_no_progress() {
    OMPI_MCA_plm_slurm_args=--no-such-option submit "$share/run"
    wait_for 90 job_ended
    job_is FAILED || fail "job $job: $(field JobState)"
    [ "$(restarts)" = 2 ] || fail "$(restarts) restarts"
    expect_text job.out 'not requeued: two starts in a row finished no video'
    [[ $(comment_of "$job") == *"not requeued: two starts"* ]] || fail "the job's comment: $(comment_of "$job")"
    submit "$share/run"
    finished
    same_report "$share/run"
    echo "given up after two restarts, with a message; handed in again, finished"
}

prepare_disk_full() {
    mkdir "$share/run"
    mount -t tmpfs -o size=1m,mode=755 tmpfs "$share/run"
}

scenario_disk_full() {
    submit "$share/run"
    hold "$share/run"
    dd if=/dev/zero of="$share/run/filler" bs=4k 2>/dev/null || true
    release
    wait_for 120 job_ended
    job_is FAILED || fail "job $job: $(field JobState)"
    expect_text job.out 'No space left'
    expect_text job.out 'not requeued'
    kept=$(decided "$share/run")
    [ "$kept" -ge 10 ] || fail "$kept videos were kept"
    none_left
    mount -o remount,size=32m "$share/run"
    rm "$share/run/filler"
    submit "$share/run"
    finished
    same_report "$share/run"
    echo "stopped with a message after $kept videos; with room again, finished"
}

scenario_controller_restarted() {
    submit "$share/run"
    hold "$share/run"
    # What it has not written down yet when it is killed, it does not know of afterwards. It writes after a change.
    touch mark
    scontrol update "JobId=$job" AdminComment=held
    wait_for 60 test state/job_state -nt mark
    controller_kill
    controller_up
    wait_for 30 job_is RUNNING
    release
    finished
    [ "$(restarts)" = 0 ] || fail "$(restarts) restarts"
    same_report "$share/run"
    echo "the job did not notice"
}

scenario_cancelled() {
    submit "$share/run"
    hold "$share/run"
    scancel "$job"
    wait_for 60 job_is CANCELLED
    none_left
    kept=$(decided "$share/run")
    submit "$share/run"
    finished
    same_report "$share/run"
    echo "cancelled after $kept videos, handed in again, finished"
}

scenario_array_and_report() {
    printf '%s\n' /mnt/data/corpus /mnt/data/corpus/real /mnt/data/corpus >list
    array=$(sbatch --parsable --array=1-3%2 --cpus-per-task=2 --output="$share/array.%a.out" "$FAKESIFT_SLURM/array.sbatch" \
        list "$detector" "$share/runs")
    job=$(sbatch --parsable --dependency="afterany:$array" --output="$share/job.out" "$FAKESIFT_SLURM/report.sbatch" \
        "$share/runs/1-corpus" "$share/runs/2-real" "$share/runs/3-corpus")
    finished 120
    same_report "$share/runs/1-corpus"
    same_report "$share/runs/3-corpus"
    [ "$(decided "$share/runs/2-real")" = 104 ] || fail "the second corpus: $(decided "$share/runs/2-real") decided"
    echo "three corpora, two at once, and their reports again in a dependent job"
}

scenario_not_root() {
    install -d -o nobody -m 700 "$share/home"
    install -o nobody -m 600 /dev/null "$share/job.out"
    # shellcheck disable=SC2016 # expanded by that shell
    job=$(runuser -u nobody -- sh -c 'cd "$1" && sbatch --parsable --nodes=3 --cpus-per-task=2 --output="$1/../job.out" \
        "$FAKESIFT_SLURM/fakesift.sbatch" /mnt/data/corpus /mnt/data/detector/card.json "$1/run"' sh "$share/home")
    finished
    [ "$(stat -c %U "$share/home/run/scores.csv")" = nobody ] || fail "the report belongs to somebody else"
    same_report "$share/home/run"
    echo "as nobody; the job's comment: $(comment_of "$job")"
}

scenario_plain() {
    submit "$share/run"
    wait_for 60 some_decided "$share/run"
    finished
    same_report "$share/run"
    grep -q '"ranks":[[:space:]]*3,' "$share/run/run.json" || fail "not three ranks"
    grep -q '"lanes":[[:space:]]*6,' "$share/run/run.json" || fail "not two lanes a rank, as the nodes have cores"
    [ "$(restarts)" = 0 ] || fail "$(restarts) restarts"
    echo "three ranks"
}

scenario_srun() {
    FAKESIFT_LAUNCH=srun submit "$share/run"
    finished
    same_report "$share/run"
    echo "srun --mpi=pmix"
}

# The command: what it refuses, what it shows, and a job of its own.
scenario_submit() {
    local wishes=("$corpus" --detector "$detector" -o "$share/run")
    refused() {
        if "$FAKESIFT" submit "${wishes[@]}" "${@:2}" >refused.out 2>&1; then fail "not refused: ${*:2}"; fi
        expect_text refused.out "$1"
    }
    refused 'no partition gpu; there are: ' --partition gpu
    refused '--nodes 3: partition short gives a job 2' --partition short --nodes 3
    refused 'partition short ends jobs after 0-00:30:00' --partition short --time 01:00:00
    refused '--cpus 5: the smallest node of partition batch has 2' --cpus 5
    refused 'sbatch: ended with code' -- --no-such-option
    "$FAKESIFT" submit "${wishes[@]}" --nodes 3 --time 30 --dry-run >dry.out 2>dry.err || fail "no dry run: $(cat dry.err)"
    bash -n dry.out || fail "the script of the dry run is not a script"
    expect_text dry.out '#SBATCH --nodes=3'
    [ ! -e "$share/run/run.json" ] || fail "the dry run began a run"
    "$FAKESIFT" submit "${wishes[@]}" --nodes 3 -- --comment=mine >submit.out || fail "not handed in"
    job=$(sed -n 's/^job \([0-9]*\)$/\1/p' submit.out)
    finished
    same_report "$share/run"
    [ -s "$share/run/slurm/$job.log" ] || fail "no log of job $job"
    mkdir other
    cp /mnt/data/detector/* other/
    sed -i 's/"name": *"[^"]*"/"name": "other"/; s/"threshold": *[0-9.]*/"threshold": 0.5/; s/"clips": *1/"clips": 2/' other/card.json
    wishes=("$corpus" --detector other/card.json -o "$share/run")
    refused 'choose another run folder'
    wishes=("$corpus" --detector "$detector" -o "$share/run")
    "$FAKESIFT" submit "${wishes[@]}" --dry-run >/dev/null 2>again.err
    expect_text again.err 'by videos of this run that were measured'
    printf '%s\n' /mnt/data/corpus /mnt/data/corpus/real >list.txt
    "$FAKESIFT" submit list.txt --detector "$detector" -o "$share/runs" --array 2 --nodes 1 >array.out || fail "no array"
    job=$(sed -n 's/^job \([0-9]*\)$/\1/p' array.out)
    wait_for 60 test -s "$share/runs/1-corpus/report.html"
    wait_for 60 test -s "$share/runs/2-real/report.html"
    same_report "$share/runs/1-corpus"
    echo "refused what cannot be, showed its script, handed in a job and an array"
}
