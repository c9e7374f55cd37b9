#!/bin/bash
# Two runs beside each other, their files for leaderboards, and submissions against a truth.
. "$(dirname "$0")/lib.sh"
corpus videos 6 2
LSTM=$SOURCE/tests/data/detectors/tiny-lstm/card.json
expect_code 0 "$FAKESIFT" run videos --detector "$DETECTOR" -o a
expect_code 0 "$FAKESIFT" run videos --detector "$LSTM" -o b

# compare: itself; another detector; another corpus.
expect_code 0 "$FAKESIFT" compare a a --json same.json
expect_text out 'protocol: the same in all'
expect_text out 'flips at 0.5: 0'
expect_code 0 "$FAKESIFT" compare a b --json ab.json
expect_text out 'fields differ'
expect_text out 'a: tiny-gru'
expect_text out 'b: tiny-lstm'
expect_text out 'AUC (DeLong)'
python3 - <<'END'
import csv, json
ab, same = json.load(open("ab.json")), json.load(open("same.json"))
scores = [{r["path"]: float(r["p_fake"]) for r in csv.DictReader(open(f"{run}/scores.csv")) if r["p_fake"]} for run in "ab"]
assert ab["n_common"] == 10 and ab["n_both_scored"] == len(scores[0].keys() & scores[1].keys()), ab["n_common"]
flips = sorted((p for p in scores[0].keys() & scores[1].keys() if (scores[0][p] >= .5) != (scores[1][p] >= .5)),
               key=lambda p: (-abs(scores[0][p] - scores[1][p]), p))
assert [f["path"] for f in ab["flips"]] == flips
assert same["n_same_score"] == same["n_both_scored"] and same["paired_tests"]["auc_delong"]["p"] == 1
fields = {f["field"]: f for f in ab["protocol"]}
assert {f for f in fields if not fields[f]["same"]} >= {"detector", "detector_sha256"}
assert fields["card.sampling.frames"]["a"].isdigit() and len(fields) > 30, fields
for run, key in (("a", "a"), ("b", "b")):
    auc = json.load(open(f"{run}/report.json"))["results"]["video"]["auc"]
    assert ab[key]["own"]["figures"]["auc"]["value"] == auc
END
mkdir others && clip others/x.mp4 2
expect_code 0 "$FAKESIFT" run others --detector "$DETECTOR" -o other
expect_code 2 "$FAKESIFT" compare a other
expect_text err 'have no video in common'
expect_code 2 "$FAKESIFT" compare a nowhere
expect_text err 'no run there'
expect_code 1 "$FAKESIFT" compare a
expect_text err 'a second RUN is missing'

# A run of before cards were kept.
python3 - <<'END'
import json
run = json.load(open("other/run.json"))
del run["detector_card"]
json.dump(run, open("other/run.json", "w"))
END
expect_code 0 "$FAKESIFT" compare other other
expect_code 0 "$FAKESIFT" run others --detector "$LSTM" -o another
expect_code 0 "$FAKESIFT" compare other another
expect_text out 'the cards are not compared'

# What report writes for a board, eval takes; a run folder stands for its scores.csv.
for board in dfdc ffpp 1mdf inclusion openmfc; do
    expect_code 0 "$FAKESIFT" report a --board $board -o a.$board
    expect_text err 'have no score'
    expect_code 0 "$FAKESIFT" eval --truth a --board $board a.$board
    expect_text out '1  a.'"$board"
done
expect_code 1 "$FAKESIFT" report a --board kaggle -o x
expect_code 1 "$FAKESIFT" report a --board dfdc
expect_code 0 "$FAKESIFT" scan videos -o videos.csv
expect_code 0 "$FAKESIFT" eval --truth videos.csv a b --json eval.json
expect_text out 'Is the first really ahead of the second?'
python3 -c 'import json; d = json.load(open("eval.json")); assert len(d["standings"][0]["rows"]) == 2, d'

# A board's file that breaks rules: refused, each break on a line of its own, exit code 2.
{ sed -e '2s/,.*/,x/' -e '3s/,.*/,7/' a.dfdc; echo 'evil.mp4,0.5'; sed -n 4p a.dfdc; } > broken.csv
expect_code 2 "$FAKESIFT" eval --truth a --board dfdc broken.csv a.dfdc
expect_text err "broken.csv:2: 'x': not a number"
expect_text err "broken.csv:3: '7': not in 0..1"
expect_text err "broken.csv:12: 'evil.mp4': an id that the truth does not have"
expect_text err "broken.csv:13: "
[ "$(wc -l < err)" -eq 4 ] || { cat err; fail 'not one line an error'; }
expect_text out 'refused: broken.csv (dfdc): 1 not a number, 1 out of range, 1 repeated, 1 extra'
expect_text out '1  a.dfdc'

# Public and private.
expect_code 0 "$FAKESIFT" eval --truth a a b --private 0.5 --seed 3
expect_text out 'private: '
cp out first
expect_code 0 "$FAKESIFT" eval --truth a a b --private 0.5 --seed 3
cmp out first
echo nobody.mp4 > list
expect_code 2 "$FAKESIFT" eval --truth a a b --private list
expect_text err "list:1: 'nobody.mp4'"
expect_code 1 "$FAKESIFT" eval a
expect_text err '--truth is missing'
expect_code 1 "$FAKESIFT" eval --truth a --by luck a
expect_text err '--by luck'
