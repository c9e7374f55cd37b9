#!/bin/bash
# --save-crops and --save-features change no score, give the same files for 1, 2 and 3 ranks and after kill -9 and a second start,
# and name only what the journals have; no name of a video becomes a path.
. "$(dirname "$0")/lib.sh"
corpus videos 16 2
hostile=$'videos/fake/a ..\n<b>"x",\\\xff.mp4'
cp videos/real/2.mp4 "$hostile"
run() { "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" "$@"; }
mpirun_n() { local n=$1; shift; mpi -n "$n" "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" "$@"; }
# same_crops RUN: as those of the first, file by file.
same_crops() {
    diff -r first/crops "$1/crops" >differ || { head differ; fail "$1 has other crops"; }
}
# read_features DIR OUT: every row of the index, by numpy.
read_features() {
    /usr/bin/python3 - "$1" "$2" <<'END'
import csv, os, sys
import numpy as np
folder, out = sys.argv[1:]
rows, shards = {}, {}
with open(os.path.join(folder, "index.csv"), newline="", encoding="utf-8", errors="surrogateescape") as f:
    reader = csv.DictReader(f)
    assert reader.fieldnames == ["path", "track", "clip", "start_us", "end_us", "shard", "row"], reader.fieldnames
    for r in reader:
        assert os.path.basename(r["shard"]) == r["shard"]
        if r["shard"] not in shards:
            shards[r["shard"]] = np.load(os.path.join(folder, r["shard"]))
        a = shards[r["shard"]]
        assert a.dtype == np.float32 and a.ndim == 3 and a.shape[1] == 8, (a.dtype, a.shape)
        key = r["path"], r["track"], r["clip"]
        assert key not in rows, key
        rows[key] = r["start_us"], r["end_us"], a[int(r["row"])]
        assert np.isfinite(rows[key][2]).all() and np.ptp(rows[key][2]) > 0
with open(out, "w", encoding="utf-8", errors="surrogateescape") as f:
    for key in sorted(rows):
        f.write(repr((key, rows[key][:2], rows[key][2].tobytes().hex())) + "\n")
print(len(rows))
END
}
same_features() {
    read_features "$1" features.now >/dev/null
    cmp features.first features.now || fail "$1 has other features"
}

expect_code 0 run -o plain --lanes 2
[ ! -e plain/crops ] || fail "crops without being asked for"
expect_code 0 run -o first --lanes 1 --save-crops --save-features features1 --segment 0.00001
! grep -q 'are cut into' err || fail "a video was cut"
cmp plain/scores.csv first/scores.csv || fail "the scores changed"
n=$(read_features features1 features.first)
# Seventeen scored videos of two clips.
[ "$n" = 34 ] || fail "$n features"
grep -q '^path,track,clip,time_us,file$' first/crops/crops.csv || fail "crops.csv has another head"
[ "$(find first/crops -name '*.jpg' | wc -l)" = 102 ] || fail "not 3 crops of each clip: $(find first/crops -name '*.jpg' | wc -l)"
/usr/bin/python3 - first/crops "$n" <<'END'
import csv, os, re, sys
from PIL import Image
folder, n = sys.argv[1], int(sys.argv[2])
seen = {}
with open(os.path.join(folder, "crops.csv"), newline="", encoding="utf-8", errors="surrogateescape") as f:
    for r in csv.DictReader(f):
        assert re.fullmatch(r"[0-9a-f]{2}/[0-9a-f]{32}-t\d+-c\d+-\d+\.jpg", r["file"]), r["file"]
        picture = Image.open(os.path.join(folder, r["file"]))
        picture.load()
        assert picture.format == "JPEG" and picture.size == (64, 64), picture
        seen.setdefault((r["path"], r["track"], r["clip"]), []).append(int(r["time_us"]))
assert len(seen) == n and all(len(t) == 3 and t == sorted(set(t)) for t in seen.values()), seen
assert any(path == 'fake/a ..\n<b>"x",\\\udcff.mp4' for path, _, _ in seen)
END
[ -z "$(find . -name '*.jpg' -not -path './*/crops/??/*')" ] || fail "a crop outside of crops/"

for n in 2 3; do
    expect_code 0 mpirun_n $n -o mpi$n --lanes 1 --save-crops --save-features features-mpi$n
    cmp plain/scores.csv mpi$n/scores.csv || fail "$n ranks: other scores"
    same_crops mpi$n
    same_features features-mpi$n
done

# Killed in its middle, twice, then to its end. A job that was over before the kill begins anew.
n_killed=0
for _ in 1 2 3 4 5 6 7 8; do
    [ $n_killed -lt 2 ] || break
    ASAN_OPTIONS=detect_leaks=0 setsid taskset -c "$(awk '/^Cpus_allowed_list/ { sub(/[,-].*/, "", $2); print $2 }' /proc/self/status)" \
        mpirun -n 2 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o killed --lanes 1 \
        --flush 1 --save-crops --save-features features-killed >out 2>err &
    PIDS=$!
    records() { [ "$(cat killed/journal/*.journal 2>/dev/null | wc -c)" -gt $((900 * (n_killed + 1))) ]; }
    wait_for 60 records
    mapfile -t job < <(pgrep -s "$PIDS")
    kill -9 "${job[@]}" 2>/dev/null || true
    wait "$PIDS" 2>/dev/null || true
    all_gone() { ! pgrep -s "$PIDS" >pids; }
    wait_for 10 all_gone
    PIDS=
    if [ -e killed/scores.csv ]; then
        rm -rf killed features-killed
        n_killed=0
    else
        n_killed=$((n_killed + 1))
    fi
done
[ $n_killed = 2 ] || fail "the job was over each time before it could be killed"
expect_code 0 mpirun_n 2 -o killed --lanes 1 --save-crops --save-features features-killed
cmp plain/scores.csv killed/scores.csv || fail "other scores after kill -9"
find killed/crops -name '*.partial' -delete
same_crops killed
same_features features-killed

# A video that was replaced: its old crops are gone, its new ones listed; one that is no video any more has none.
cp videos/fake/blend/1.mp4 videos/real/4.mp4
echo 'no video now' >videos/real/6.mp4
expect_code 0 run -o killed --lanes 2 --save-crops --save-features features-killed
! grep -q '^real/6\.mp4,' killed/crops/crops.csv || fail "crops of a text"
[ "$(grep -c '^real/4\.mp4,' killed/crops/crops.csv)" = 6 ] || fail "the new video's crops are not listed"
[ "$(find killed/crops -name '*.jpg' | wc -l)" = 96 ] || fail "old crops were left"
# The hostile name's line end stands in each of its six rows.
[ "$(wc -l <killed/crops/crops.csv)" = "$(($(grep -c '\.jpg$' killed/crops/crops.csv) + 7))" ] || fail "odd lines in crops.csv"

# A start that keeps none still lists only what is true now.
echo 'nor now' >videos/real/4.mp4
expect_code 0 run -o killed --lanes 2
! grep -q '^real/4\.mp4,' killed/crops/crops.csv || fail "crops of a video that is gone are listed"

# What cannot be.
sed 's/"clips": 2/"clips": 3/' "$DETECTOR" >"other.json"
mkdir other
cp "$(dirname "$DETECTOR")"/*.onnx other/
mv other.json other/card.json
expect_code 2 "$FAKESIFT" run videos --layout dir --detector other/card.json -o other-run --save-features features1
expect_text err 'holds features of another run'
expect_code 2 "$FAKESIFT" run videos --layout dir --detector "$SOURCE/tests/data/detectors/tiny-lstm/card.json" -o joint --save-features features2
expect_text err 'gives no features'
expect_code 1 run -o x --save-crops=0
expect_text err '--save-crops 0'
