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
one_line 2 'frame.onnx: a network, not a detector' "$FAKESIFT" run videos --detector card/frame.onnx -o run
one_line 2 'notes.txt: neither a card' "$FAKESIFT" run videos --detector texts/notes.txt -o run
rm card/frame.onnx && mkfifo card/frame.onnx
one_line 2 'frame.onnx: not a regular file' timeout 20 "$FAKESIFT" run videos --detector card/card.json -o run
rm card/frame.onnx && mkdir card/frame.onnx
one_line 2 'frame.onnx: not a regular file' "$FAKESIFT" run videos --detector card/card.json -o run
rmdir card/frame.onnx
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
expect_code 1 "$FAKESIFT" run videos --detector "$DETECTOR" -o ''
expect_text err '--output is empty'
expect_code 1 "$FAKESIFT" run videos --detecter x
expect_code 1 "$FAKESIFT" fly
expect_code 0 "$FAKESIFT" --help
expect_code 0 "$FAKESIFT" run --help
for command in list fetch info run check; do
    expect_code 0 "$FAKESIFT" models $command --help
    expect_text out "Usage: fakesift models $command"
done
expect_code 1 "$FAKESIFT" models fetch
expect_code 1 "$FAKESIFT" models list everything

# Under mpirun the same errors, and no hang.
expect_code 2 mpi -n 2 timeout 60 "$FAKESIFT" run nowhere --detector "$DETECTOR" -o run
expect_text err 'nowhere'

# Resuming with another detector is refused, and the field is named.
expect_code 0 "$FAKESIFT" run videos --detector "$DETECTOR" -o run
one_line 2 'detector = tiny-gru' "$FAKESIFT" run videos --detector "$SOURCE/tests/data/detectors/tiny-lstm/card.json" -o run

# A run of one corpus is not overwritten by another's, not even by a slip of the hand.
mkdir others && clip others/2.mp4 2
one_line 2 'choose another run folder' "$FAKESIFT" run others --detector "$DETECTOR" -o run
expect_code 0 "$FAKESIFT" status run
expect_text out '1 of 1 video decided'

# A manifest whose corpus has moved cannot be done by trying again.
expect_code 0 "$FAKESIFT" scan others -o moved.csv
mv others elsewhere
one_line 2 'moved.csv: root: cannot find the corpus' "$FAKESIFT" run moved.csv --detector "$DETECTOR" -o run-moved
mv elsewhere others

# Labels that nobody reads are told of.
printf 'path;label\n2.mp4;FAKE\n' > others/labels.csv
expect_code 0 "$FAKESIFT" run others --detector "$DETECTOR" -o run-others
expect_text err "labels.csv is not read: it has no column 'path'"
expect_code 0 "$FAKESIFT" scan others -o others.csv
expect_text out "labels.csv is not read: it has no column 'path'"
