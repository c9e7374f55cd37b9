#!/bin/bash
# Lanes that are at fault (tests/process/faulty_lane.c): whatever a lane does instead of its work, from inside its sandbox,
# costs its video the attempt and nobody else anything; each attempt to break out of a real lane ends as it does in
# tests/nodes/test_sandbox.c; the log and the report name the layers.
. "$(dirname "$0")/lib.sh"

sanitized=false
if ldd "$FAKESIFT" | grep -q libasan; then sanitized=true; fi

mkdir -p videos/good world
for i in 1 2 3 4 5 6; do clip "videos/good/$i.mp4" 0.4; done
cp -r videos/good only_good
echo old > world/old

declare -A outcomes messages attempts
# fault NAME OUTCOME ATTEMPTS MESSAGE: what becomes of a video whose lane does NAME; MESSAGE is an extended regular expression.
fault() {
    echo "FAULT $1" > "videos/$1.mp4"
    outcomes[$1.mp4]=$2 attempts[$1.mp4]=$3 messages[$1.mp4]=$4
}

if $sanitized; then null='ended with status 1' bus='ended with status 1|killed by signal (7|11)'; else null='killed by signal 11' bus='killed by signal (7|11)'; fi
fault null crashed 2 "$null"
fault abort crashed 2 'killed by signal 6|ended with status 1'
fault leave crashed 2 'ended with status 0'
fault leave9 crashed 2 'ended with status 9'
fault close crashed 2 'its lane closed its socket and lived on'
fault close_leave crashed 2 'ended with status 0'
fault length0 crashed 2 'its lane closed its socket and lived on'
fault garbage crashed 2 'its lane gave an answer that cannot be read'
fault too_much crashed 2 'its lane gave an answer that cannot be read'
fault greet crashed 2 'its lane gave an answer that cannot be read'
fault claim crashed 2 'its lane gave an answer that cannot be read'
fault descriptors crashed 2 'its lane gave an answer that cannot be read'
fault score2 crashed 2 'its lane gave an answer that cannot be read'
fault score_nan crashed 2 'its lane gave an answer that cannot be read'
fault half_answer crashed 2 'its lane gave an answer that cannot be read'
fault other_video crashed 2 'its lane answered for another video'
fault flood crashed 2 'its lane answered for another video'
# Its lane is not at fault, its answer is.
fault other_part crashed 2 'its lane answered for another part of a video'
fault stderr no_video 1 'not a media file'
fault notes crashed 2 '(killed by signal 6|ended with status 1).*N{31}: N{100,223}'
fault notes_escape crashed 2 '(killed by signal 6|ended with status 1).*: .\[31m <script>'
fault beyond_notes crashed 2 "$bus"
# Without a limit of its address space a sanitized lane would take all there is.
$sanitized || fault memory crashed 2 'ended with status 5'

# Every breakout, from inside a lane: the last letter of its line says how it ends.
n=0
if ! $sanitized; then
    while IFS=$'\t' read -r name ends kept; do
        case $kept:${ends: -1} in
        # The descriptor that is kept here is the video's: neither a folder nor a program.
        *:k) want=crashed message='stopped by the sandbox: a system call that decoding does not need' n_attempts=2 ;;
        *) want=no_video message='not a media file' n_attempts=1 ;;
        esac
        printf 'FAULT breakout %d %s/world\n%s\n' "$n" "$WORK" "$name" > "videos/break$n.mp4"
        outcomes[break$n.mp4]=$want messages[break$n.mp4]=$message attempts[break$n.mp4]=$n_attempts
        n=$((n + 1))
    done < <(sed -nE 's/^ *\{"([^"]+)", "([-oek]{7})", [a-z0-9_]+, (KEPT_[A-Z]+)\}.*/\1\t\2\t\3/p' "$SOURCE/tests/nodes/breakouts.c")
    [ "$n" -ge 40 ] || fail "only $n breakouts were found"
fi

expect_code 0 "$FAKESIFT" run only_good --detector "$DETECTOR" -o undisturbed --lanes 2
expect_code 0 timeout 200 "$FAKESIFT" run videos --detector "$DETECTOR" -o run --lanes 4 --timeout 60 --retries 1 \
    --lane-memory 256 -v
cp err log

total=$((6 + ${#outcomes[@]}))
expect_text out "$total of $total videos decided"
for name in "${!outcomes[@]}"; do
    got=$(sqlite3 -separator '|' run/results.sqlite "SELECT outcome, message FROM video WHERE path = '$name'")
    [ "${got%%|*}" = "${outcomes[$name]}" ] || fail "$name ($(sed -n 2p "videos/$name")) is $got, not ${outcomes[$name]}"
    grep -qE "^(${messages[$name]})" <<< "${got#*|}" || fail "$name says: ${got#*|}"
    begun=$(grep -c " $name: begun, attempt" log)
    [ "$begun" -eq "${attempts[$name]}" ] || fail "$name was begun $begun times, not ${attempts[$name]}"
done
# The videos beside them have the scores of a run without them, each at the first attempt.
scores() { sqlite3 "$1/results.sqlite" "SELECT replace(path, 'good/', ''), outcome, p_fake FROM video WHERE outcome = 'scored' ORDER BY 1"; }
[ "$(scores run)" = "$(scores undisturbed)" ] || fail "other scores: $(scores run) and $(scores undisturbed)"
[ "$(scores run | wc -l)" -eq 6 ] || fail "not all good ones have a score"
for i in 1 2 3 4 5 6; do
    [ "$(grep -c " good/$i.mp4: begun, attempt 1" log)" -eq 1 ] || fail "good/$i.mp4 was disturbed"
done
# 10 MB of what a lane printed are bounded in the log, and harm no terminal.
[ "$(stat -c %s log)" -lt 400000 ] || fail "the log has $(stat -c %s log) bytes"
if LC_ALL=C grep -qP '[^\x20-\x7e\n\t]' log; then fail "control characters in the log: $(LC_ALL=C grep -P '[^\x20-\x7e\n\t]' log | head -3)"; fi
expect_text log 'printed: ?zzz'
[ "$(cat world/old)" = old ] || fail "a lane wrote to a file"
[ "$(ls world)" = old ] || fail "a lane made a file"

# Lanes that never answer, in a run of their own: on a machine that is busy elsewhere others might be as slow.
mkdir hangs
for name in spin silence; do echo "FAULT $name" > hangs/$name.mp4; done
expect_code 0 timeout 120 "$FAKESIFT" run hangs --detector "$DETECTOR" -o hung --lanes 2 --timeout 2 --retries 1 -v
for name in spin silence; do
    got=$(sqlite3 -separator '|' hung/results.sqlite "SELECT outcome, message FROM video WHERE path = '$name.mp4'")
    [ "$got" = 'timeout|no answer within 2 s' ] || fail "$name is $got"
    [ "$(grep -c " $name.mp4: begun, attempt" err)" -eq 2 ] || fail "$name was not begun twice"
done

# sandbox RUN: the layers as report.json and report.html have them.
sandbox() {
    /usr/bin/python3 -c 'import html, json, sys
words = json.load(open(sys.argv[1] + "/report.json"))["execution"]["executions"][-1]["sandbox"]
print(words if html.escape(words) in open(sys.argv[1] + "/report.html").read() else "not in report.html: " + words)' "$1"
}

layers=(limits no_new_privs namespaces landlock seccomp)
all='limits, no_new_privs, namespaces, landlock, seccomp'
active=$(sandbox run)
expect_text log "sandbox of the lanes: $active"
if [ "$active" != "$all" ]; then skip "this machine's lanes have: $active"; fi
expect_code 0 "$FAKESIFT" run only_good --detector "$DETECTOR" -o required --require-sandbox
expect_text err "info sandbox of the lanes: $all"
for layer in "${layers[@]}"; do
    others=$(for l in "${layers[@]}"; do [ "$l" = "$layer" ] || printf '%s, ' "$l"; done)
    want="${others%, }, without: $layer"
    FAULTY_WITHOUT=$layer expect_code 0 "$FAKESIFT" run only_good --detector "$DETECTOR" -o "less_$layer"
    expect_text err "warning sandbox of the lanes: $want"
    [ "$(sandbox "less_$layer")" = "$want" ] || fail "the report says: $(sandbox "less_$layer")"
    FAULTY_WITHOUT=$layer expect_code 2 "$FAKESIFT" run only_good --detector "$DETECTOR" -o "refused_$layer" --require-sandbox
    expect_text err "--require-sandbox: the sandbox has here: $want"
done
# A layer that one rank's lanes lack is not said to be there.
expect_code 0 mpi -n 1 "$FAKESIFT" run only_good --detector "$DETECTOR" -o ranks --lanes 1 : \
    -n 1 env FAULTY_WITHOUT=landlock "$FAKESIFT" run only_good --detector "$DETECTOR" -o ranks --lanes 1
case $(grep -c 'without: landlock' err):$(sandbox ranks) in
"1:limits, no_new_privs, namespaces, seccomp, without: landlock" | "0:$all") ;; # 0: that rank came too late to get a video
*) fail "two ranks: $(sandbox ranks)" ;;
esac
