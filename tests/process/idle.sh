#!/bin/bash
# An idle coordinator and an idle agent use under 1 % of a core: two ranks whose lanes are stopped.
. "$(dirname "$0")/lib.sh"
corpus videos 24 4 320x240

ASAN_OPTIONS=detect_leaks=0 mpirun -n 2 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o run --lanes 1 >out 2>err &
PIDS=$!
ranks() { pgrep -P "$PIDS"; }
lanes() { for rank in $(ranks); do for zygote in $(pgrep -P "$rank"); do pgrep -P "$zygote" || true; done; done; }
have_lane() { [ -n "$(lanes)" ]; }
wait_for 30 have_lane
mapfile -t stopped < <(lanes)
kill -STOP "${stopped[@]}"
[ "$(ranks | wc -l)" -eq 2 ] || fail "not two ranks"

# Clock ticks (1/100 s) of user and system time of a process.
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
settle=$((SECONDS + 2)); while [ $SECONDS -lt $settle ]; do read -rt 0.1 <> <(:) || true; done
for rank in $(ranks); do before[rank]=$(ticks "$rank"); done
seconds=8
end=$((SECONDS + seconds)); while [ $SECONDS -lt $end ]; do read -rt 0.5 <> <(:) || true; done
for rank in $(ranks); do
    used=$(($(ticks "$rank") - before[rank]))
    echo "rank process: $used ticks in $seconds s: $(awk "BEGIN { print $used / $seconds }") % of a core"
    [ "$used" -lt $seconds ] || fail "an idle rank used $used ticks of 1/100 s in $seconds s"
done
kill -CONT "${stopped[@]}"
wait "$PIDS" || fail "the run did not end well"
PIDS=
