#!/usr/bin/env bash
# PID 1 of the cluster tests' namespaces (cluster.sh starts it): makes the corpus and the undisturbed run, then runs the
# scenarios, each in namespaces and with a cluster of its own, CLUSTER_JOBS (default 4) at a time, since they mostly wait.
# In: FAKESIFT SOURCE_FOLDER KEPT_FOLDER [SCENARIO...]. Out: as cluster.sh says; logs of what failed in KEPT_FOLDER.
set -euo pipefail
fakesift=$1 source=$(realpath "$2") kept=$3
shift 3
cluster=/mnt/data/cluster
# PID 1 gets only the signals that it asks for; its end ends everything here.
trap 'exit 130' INT TERM HUP
# Empty where nothing failed.
trap 'rmdir "$kept" 2>/dev/null' EXIT
mount --make-rprivate /
# From here on whatever is written goes into memory of this mount namespace, except for the kept logs. All that is needed is
# copied there, under one path for every user and node: the checkout may lie where scenarios mount something else (/tmp, /mnt).
stage=$(mktemp -d "$kept/XXXXXX")
mount -t tmpfs -o mode=755 tmpfs "$stage"
mkdir -p "$stage"/kept "$stage"/out "$stage"/data/cluster "$stage"/data/slurm "$stage"/data/detector
mkdir -m 1777 "$stage/tmp"
cp "$source"/tests/cluster/*.sh "$stage/data/cluster/"
cp "$source"/slurm/* "$stage/data/slurm/"
cp "$source"/tests/data/detectors/tiny-gru/* "$stage/data/detector/"
cp "$fakesift" "$stage/data/fakesift"
mount --move "$stage" /mnt
rmdir "$stage"
export TMPDIR=/mnt/tmp

# 40 clips, and each again under four other names, so that a run takes seconds; and four files that are no good.
make_corpus() {
    local folder=/mnt/data/corpus i copy kind
    mkdir -p $folder/real $folder/fake/blend
    for ((i = 1; i <= 40; i++)); do
        kind=real
        if [ $((i % 2)) = 0 ]; then kind=fake/blend; fi
        echo "ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=size=320x240:rate=25:duration=2 -vf hue=H=$i/9 -c:v libx264 \
-preset ultrafast -pix_fmt yuv420p -threads 1 $folder/$kind/$i.mp4"
    done | xargs -P 2 -d '\n' -n 1 sh -c
    for copy in a b c d; do
        for ((i = 1; i <= 40; i++)); do
            kind=real
            if [ $((i % 2)) = 0 ]; then kind=fake/blend; fi
            ln $folder/$kind/$i.mp4 "$folder/$kind/$i$copy.mp4"
        done
    done
    echo 'not a video' >$folder/real/text.mp4
    : >$folder/real/empty.mp4
    head -c 400 $folder/real/1.mp4 >$folder/real/stump.mp4
    mkfifo -m 644 $folder/real/fifo.mp4
}

make_corpus
/mnt/data/fakesift run /mnt/data/corpus --detector /mnt/data/detector/card.json -o /mnt/data/whole --quiet >/mnt/out/whole 2>&1 ||
    { cat /mnt/out/whole; echo "inside.sh: the undisturbed run failed"; exit 1; }

slow=(first_node_cut_off array_and_report controller_restarted submit node_killed_recovery time_limit no_progress)
scenarios=("$@")
if [ $# = 0 ]; then
    mapfile -t scenarios < <({ printf '%s\n' "${slow[@]}"; sed -nE 's/^scenario_([a-z0-9_]+)\(\).*/\1/p' "$cluster/scenarios.sh"; } |
        awk '!seen[$0]++')
fi

export cluster kept
run_one() {
    local name=$1 code=0 began=$SECONDS verdict
    unshare --net --uts --ipc --mount --pid --fork --kill-child --mount-proc \
        bash "$cluster/scenario.sh" "$name" >"/mnt/out/$name" 2>&1 </dev/null || code=$?
    case $code in
    0) verdict=ok ;;
    77) verdict=skipped ;;
    *) verdict=FAILED ;;
    esac
    echo "$verdict" >"/mnt/out/$name.verdict"
    # One write, since others write too.
    case $verdict in
    FAILED) printf '%s\n' "FAILED $name ($((SECONDS - began)) s), logs in $kept/$name:
$(sed 's/^/    /' "/mnt/out/$name")" ;;
    *) printf '%-8s %-28s %3d s  %s\n' "$verdict" "$name" $((SECONDS - began)) "$(tail -n 1 "/mnt/out/$name")" ;;
    esac
}
export -f run_one
# shellcheck disable=SC2016 # expanded by that shell
printf '%s\n' "${scenarios[@]}" | xargs -P "${CLUSTER_JOBS:-4}" -n 1 bash -c 'run_one "$1"' run_one

n_passed=$(cat /mnt/out/*.verdict | grep -cx ok || true)
n_failed=$(cat /mnt/out/*.verdict | grep -cx FAILED || true)
n_skipped=$(cat /mnt/out/*.verdict | grep -cx skipped || true)
echo "$n_passed passed, $n_failed failed, $n_skipped skipped"
[ "$n_failed" = 0 ] && [ $((n_passed + n_failed + n_skipped)) = ${#scenarios[@]} ]
