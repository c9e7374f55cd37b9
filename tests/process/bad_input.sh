#!/bin/bash
# Bad input ends as a specific one-line error or as an outcome; nothing finished is lost.
. "$(dirname "$0")/lib.sh"
mkdir -p videos/real
clip videos/real/1.mp4 2
cp -r "$SOURCE/tests/data/detectors/tiny-gru" card

# one_line CODE TEXT COMMAND...: that exit code, and one line on standard error that holds the text.
one_line() {
    local code=$1 text=$2

    shift 2
    expect_code "$code" "$@"
    grep -v ' info ' err > errors || true
    [ "$(wc -l < errors)" -eq 1 ] || { cat err; fail "not one line: $*"; }
    expect_text errors "$text"
}

one_line 2 'nowhere' "$FAKESIFT" run nowhere --detector "$DETECTOR" -o run
mkdir empty
one_line 2 'empty: ' "$FAKESIFT" run empty --layout dir --detector "$DETECTOR" -o run
mkdir texts && echo hello > texts/notes.txt
one_line 2 'notes.txt' "$FAKESIFT" run texts --layout dir --detector "$DETECTOR" -o run
one_line 2 'no-such-detector' "$FAKESIFT" run videos --detector no-such-detector -o run
echo '<html>404</html>' > card/frame.onnx
one_line 2 'frame.onnx' "$FAKESIFT" run videos --detector card/card.json -o run
sed 's/"sampling"/"samplign"/' "$DETECTOR" > card/card.json
one_line 2 'samplign' "$FAKESIFT" run videos --detector card/card.json -o run
echo '{"kind": ' > card/card.json
one_line 2 'card/card.json' "$FAKESIFT" run videos --detector card/card.json -o run
mkdir notes && echo mine > notes/diary
one_line 2 'diary' "$FAKESIFT" run videos --detector "$DETECTOR" -o notes
one_line 2 'run.json' "$FAKESIFT" status notes

expect_code 1 "$FAKESIFT" run videos --detector "$DETECTOR"
expect_text err '--output is missing'
expect_code 1 "$FAKESIFT" run videos --detector "$DETECTOR" -o run --lanes 0
expect_text err '--lanes 0'
expect_code 1 "$FAKESIFT" run videos --detecter x
expect_code 1 "$FAKESIFT" fly
expect_code 0 "$FAKESIFT" --help
expect_code 0 "$FAKESIFT" run --help

# Under mpirun the same errors, and no hang.
expect_code 2 mpi -n 2 timeout 60 "$FAKESIFT" run nowhere --detector "$DETECTOR" -o run
expect_text err 'nowhere'

# Resuming with another detector is refused, and the field is named.
expect_code 0 "$FAKESIFT" run videos --detector "$DETECTOR" -o run
one_line 2 'detector = tiny-gru' "$FAKESIFT" run videos --detector "$SOURCE/tests/data/detectors/tiny-lstm/card.json" -o run
