#!/bin/bash
# A corpus whose videos are all cut into parts gives the same scores.csv and results as one that is worked on whole: for 1,
# 2 and 3 ranks, with damaged files among them, and after kill -9 in its middle and a second start, also with another cut.
. "$(dirname "$0")/lib.sh"
corpus videos 12 6 320x240
# Damage in the middle: its parts cannot be joined, the whole decides. And one whose end is cut off.
/usr/bin/python3 - videos/real/2.mp4 videos/real/hurt.mp4 videos/real/4.mp4 videos/real/short.mp4 <<'END'
import sys
data = bytearray(open(sys.argv[1], 'rb').read())
at = len(data) * 2 // 3
data[at:at + 400] = bytes((i * 37) & 255 for i in range(400))
open(sys.argv[2], 'wb').write(data)
data = open(sys.argv[3], 'rb').read()
open(sys.argv[4], 'wb').write(data[:len(data) * 3 // 4])
END
# Key frames far apart, no index to speak of, a second container.
ffmpeg -nostdin -v error -i videos/real/6.mp4 -c copy videos/real/6.mkv
ffmpeg -nostdin -v error -i videos/real/8.mp4 -c copy -f mpegts videos/real/8.ts

# The tests' detector with six clips.
mkdir detector
cp "$(dirname "$DETECTOR")"/*.onnx detector/
sed 's/"clips": 2, "frames": 8, "min_frames": 4/"clips": 6, "frames": 8, "min_frames": 4, "stride_s": 0.04/' "$DETECTOR" >detector/card.json
grep -q '"clips": 6' detector/card.json || fail "the card was not changed"
run() { "$FAKESIFT" run videos --layout dir --detector detector/card.json "$@"; }
mpirun_n() { local n=$1; shift; mpi -n "$n" "$FAKESIFT" run videos --layout dir --detector detector/card.json "$@"; }
results() {
    /usr/bin/python3 -c 'import json, sys; json.dump(json.load(open(sys.argv[1]))["results"], sys.stdout)' "$1/report.json"
}
same() {
    cmp whole/scores.csv "$1/scores.csv" || { diff whole/scores.csv "$1/scores.csv"; fail "$1 has other scores"; }
    [ "$(results whole)" = "$(results "$1")" ] || fail "$1 has other results"
}

expect_code 0 run -o whole --segment 0 --lanes 1
[ "$(outcome whole real/hurt.mp4)" != scored ] || grep -q 'decoding errors' whole/scores.csv || fail "hurt.mp4 is not hurt"
expect_code 0 run -o parts --segment 0.00001 --lanes 2
expect_text err 'are cut into'
expect_text err 'damaged; worked on whole'
same parts
expect_code 0 "$FAKESIFT" report parts
same parts
for n in 1 2 3; do
    expect_code 0 mpirun_n $n -o mpi$n --segment 0.00001
    same mpi$n
done

for again in 0.00001 0.02 0; do
    rm -rf killed
    ASAN_OPTIONS=detect_leaks=0 setsid mpirun -n 2 "$FAKESIFT" run videos --layout dir --detector detector/card.json -o killed \
        --segment 0.00001 --lanes 1 >out 2>err &
    PIDS=$!
    records() { [ "$(cat killed/journal/*.journal 2>/dev/null | wc -c)" -gt 600 ]; }
    wait_for 60 records
    mapfile -t job < <(pgrep -s "$PIDS")
    kill -9 "${job[@]}" 2>/dev/null || true
    wait "$PIDS" 2>/dev/null || true
    all_gone() { ! pgrep -s "$PIDS" >pids; }
    wait_for 10 all_gone
    PIDS=
    [ ! -e killed/scores.csv ] || fail "the job was over before it could be killed"
    expect_code 0 mpirun_n 2 -o killed --segment $again
    same killed
done
