#!/bin/bash
# Several detectors in one pass: each one's scores are those of a run with it alone, bit for bit, whatever their samplings, for
# 1, 2 and 3 ranks, cut into parts, and killed and resumed; a detector without a score says why beside one that has one; an
# ensemble is its members' rule; other detectors on the same run folder are refused.
. "$(dirname "$0")/lib.sh"
corpus videos 6 6 320x240
# Too short for a detector that wants eight frames, not for the others; and one in a container without an index.
clip videos/real/brief.mp4 0.24 320x240
ffmpeg -nostdin -v error -i videos/real/4.mp4 -c copy -f mpegts videos/real/4.ts
# Damage in the middle of one.
/usr/bin/python3 - videos/real/2.mp4 videos/real/hurt.mp4 <<'END'
import sys
data = bytearray(open(sys.argv[1], 'rb').read())
at = len(data) * 2 // 3
data[at:at + 400] = bytes((i * 37) & 255 for i in range(400))
open(sys.argv[2], 'wb').write(data)
END

# Detectors of one network or another, which sample alike (same, twin), or not.
/usr/bin/python3 - "$(dirname "$DETECTOR")/.." <<'END'
import json, os, shutil, sys
samplings = {
    "same": ("tiny-gru", {"clips": 6, "frames": 8, "stride_s": 0.04}),
    "twin": ("tiny-lstm", {"clips": 6, "frames": 8, "stride_s": 0.04, "min_frames": 8}),
    "spread": ("tiny-gru", {"clips": 2, "frames": 8}),
    "cover": ("tiny-gru", {"mode": "all", "frames": 8, "overlap": 0.5, "stride_s": 0.12}),
    "keys": ("tiny-lstm", {"mode": "keyframe", "clips": 2, "frames": 8, "stride_frames": 2}),
}
for name, (base, sampling) in samplings.items():
    shutil.copytree(os.path.join(sys.argv[1], base), "detectors/" + name)
    path = "detectors/%s/card.json" % name
    card = json.load(open(path))
    card["name"], card["sampling"] = name, {"mode": "uniform", "min_frames": 4, **sampling}
    json.dump(card, open(path, "w"))
head = {"kind": "ensemble", "title": "x", "licence": "MIT", "provenance": "tests", "worth": "nothing"}
members = [{"detector": "same/card.json", "weight": 3}, {"detector": "twin/card.json"}, {"detector": "spread/card.json"}]
for name, rule in (("blend", {"combine": "mean_logit", "needs": "all"}), ("any", {"combine": "mean", "needs": "any"})):
    json.dump({**head, "name": name, "ensemble": {"members": members, **rule}, "calibration": {"temperature": 2}},
              open("detectors/%s.json" % name, "w"))
json.dump({**head, "name": "nested", "ensemble": {"members": [{"detector": "blend.json"}, {"detector": "same/card.json"}]}},
          open("detectors/nested.json", "w"))
END
card() { echo "detectors/$1/card.json"; }
all=$(card same),$(card twin),$(card spread),$(card cover),$(card keys)
run() { "$FAKESIFT" run videos --layout dir "$@"; }
results() {
    /usr/bin/python3 -c 'import json, sys; json.dump(json.load(open(sys.argv[1]))["results"], sys.stdout)' "$1/report.json"
}

for name in same twin spread cover keys; do
    expect_code 0 run --detector "$(card $name)" -o "alone-$name" --segment 0 --lanes 1
done
expect_code 0 run --detector "$all" -o whole --segment 0 --lanes 1
# compare RUN COLUMN=ALONE...: outcomes and scores of a column are those of the run alone.
cat >compare.py <<'END'
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1] + "/scores.csv")))
for name in sys.argv[2:]:
    alone = {r["path"]: r for r in csv.DictReader(open("alone-%s/scores.csv" % name))}
    main = "score_" + name not in rows[0]
    assert len(rows) == len(alone), (len(rows), len(alone))
    for r in rows:
        got = (r["p_fake"], r["outcome"]) if main else (r["score_" + name], r["outcome_" + name])
        want = (alone[r["path"]]["p_fake"], alone[r["path"]]["outcome"])
        assert got == want, (name, r["path"], got, want)
    assert sum(r["outcome"] == "scored" for r in alone.values()) >= 6
END
/usr/bin/python3 compare.py whole same twin spread cover keys || fail "a detector scores otherwise beside others"
[ "$(head -1 alone-same/scores.csv)" = "$(head -1 whole/scores.csv | sed 's/,score_twin.*//')" ] || fail "columns of one detector changed"
grep -q 'real/brief.mp4,REAL,,,scored' whole/scores.csv || fail "the first detector has no score of brief.mp4"
grep '^real/brief.mp4' whole/scores.csv | grep -q ',too_short' || fail "no detector is without a score of brief.mp4"
grep '^real/text.mp4' whole/scores.csv | grep -q ',no_video.*,no_video,,no_video,,no_video,,no_video' || fail "text.mp4 is not no_video for all"

# Another order: another main detector, the same scores.
expect_code 0 run --detector "$(card keys),$(card same)" -o turned --segment 0 --lanes 2
/usr/bin/python3 compare.py turned keys same || fail "scores depend on the order of the detectors"

# Ranks, parts, kills.
same_as() {
    cmp "$1/scores.csv" "$2/scores.csv" || { diff "$1/scores.csv" "$2/scores.csv"; fail "$2 has other scores"; }
    [ "$(results "$1")" = "$(results "$2")" ] || fail "$2 has other results"
}
for n in 1 2 3; do
    expect_code 0 mpi -n $n "$FAKESIFT" run videos --layout dir --detector "$all" -o mpi$n --segment 0
    same_as whole mpi$n
done
expect_code 0 run --detector "$all" -o parts --segment 0.00001 --lanes 2
expect_text err 'are cut into'
same_as whole parts
expect_code 0 "$FAKESIFT" report parts
same_as whole parts
ASAN_OPTIONS=detect_leaks=0 setsid mpirun -n 2 "$FAKESIFT" run videos --layout dir --detector "$all" -o killed --segment 0.00001 \
    --lanes 1 >out 2>err &
PIDS=$!
records() { [ "$(cat killed/journal/*.journal 2>/dev/null | wc -c)" -gt 900 ]; }
wait_for 60 records
mapfile -t job < <(pgrep -s "$PIDS")
kill -9 "${job[@]}" 2>/dev/null || true
wait "$PIDS" 2>/dev/null || true
all_gone() { ! pgrep -s "$PIDS" >pids; }
wait_for 10 all_gone
PIDS=
expect_code 0 run --detector "$all" -o killed --lanes 2
same_as whole killed

# The report.
[ "$(sqlite3 whole/results.sqlite "SELECT count(*), count(p_fake) > 20, count(DISTINCT detector) FROM score")" = "$(($(wc -l <whole/scores.csv) * 5 - 5))|1|5" ] ||
    fail "results.sqlite has not a row for each video and detector"
[ "$(sqlite3 whole/results.sqlite "SELECT score.message FROM score JOIN video ON id = video_id WHERE path = 'real/brief.mp4' AND score.p_fake IS NULL LIMIT 1" | grep -c 'the detector needs')" = 1 ] ||
    fail "results.sqlite does not say why a detector has no score"
/usr/bin/python3 - whole/report.json alone-twin/report.json <<'END' || fail "report.json's detectors are not those of the runs alone"
import json, sys
both, alone = (json.load(open(p))["results"] for p in sys.argv[1:])
rows = {d["name"]: d for d in both["detectors"]}
assert list(rows) == ["same", "twin", "spread", "cover", "keys"]
for key in ("auc", "average_precision", "log_loss", "brier", "eer", "n"):
    assert rows["twin"][key] == alone["video"][key], key
assert rows["twin"]["auc_delong_95"]["low"] == alone["video"]["auc_delong_95"]["low"]
assert -1 <= rows["twin"]["against_first"]["auc_difference"] <= 1 and 0 <= rows["twin"]["against_first"]["p"] <= 1
assert rows["twin"]["against_first"]["n"] == min(rows["same"]["n"], rows["twin"]["n"])
assert both["protocol"]["further_detectors"] == "twin,spread,cover,keys"
assert "detectors" not in alone
END
expect_text whole/report.html 'The detectors side by side'
! grep -q 'The detectors side by side' alone-same/report.html || fail "a page of one detector compares it"
expect_code 0 "$FAKESIFT" explain whole real/brief.mp4
expect_text out 'no score (too_short) by'
expect_text out ' by spread'
expect_code 0 "$FAKESIFT" explain whole real/2.mp4 --json
/usr/bin/python3 -c 'import json; assert [d["detector"] for d in json.load(open("out"))["further_detectors"]] == ["twin", "spread", "cover", "keys"]'
expect_code 0 "$FAKESIFT" compare whole alone-same
expect_code 0 "$FAKESIFT" status whole
expect_code 0 "$FAKESIFT" eval --truth whole whole whole:twin alone-twin --json eval.json
/usr/bin/python3 - <<'END' || fail "eval does not take the scores of RUN:DETECTOR"
import json
rows = {r["submission"]: r["figures"] for r in json.load(open("eval.json"))["standings"][0]["rows"]}
assert rows["whole:twin"] == rows["alone-twin"] != rows["whole"], rows
END
expect_code 2 "$FAKESIFT" eval --truth whole whole:nobody
expect_text err 'no such further detector'

# Ensembles.
expect_code 0 run --detector detectors/blend.json -o blend --segment 0.00001 --lanes 2
expect_code 0 run --detector detectors/any.json,"$(card keys)" -o any --lanes 1
expect_code 0 mpi -n 2 "$FAKESIFT" run videos --layout dir --detector detectors/blend.json -o blend2
same_as blend blend2
/usr/bin/python3 - <<'END' || fail "an ensemble is not its members' rule"
import csv, math
logit = lambda p: math.log(p / (1 - p)) if 1e-7 < p < 1 - 1e-7 else math.copysign(math.log((1 - 1e-7) / 1e-7), p - .5)
sigmoid = lambda x: 1 / (1 + math.exp(-x))
members, weights = ("same", "twin", "spread"), (3, 1, 1)
alone = {m: {r["path"]: r for r in csv.DictReader(open("alone-%s/scores.csv" % m))} for m in members}
seen = {"all": 0, "some": 0, "none": 0}
for name in ("blend", "any"):
    for r in csv.DictReader(open(name + "/scores.csv")):
        p = [alone[m][r["path"]]["p_fake"] for m in members]
        assert [r["score_" + m] for m in members] == p, (name, r["path"])
        there = [(w, float(x)) for w, x in zip(weights, p) if x]
        seen["all" if len(there) == 3 else "some" if there else "none"] += 1
        if not there or (name == "blend" and len(there) < 3):
            assert r["p_fake"] == "" and r["outcome"] not in ("scored", "partial_decode"), r
            first = next(m for m, x in zip(members, p) if not x)
            assert r["outcome"] == alone[first][r["path"]]["outcome"] and r["message"] in (x := alone[first][r["path"]]["message"], "%s: %s" % (first, x)), r
            continue
        total = sum(w for w, _ in there)
        if name == "blend":
            want = sigmoid(sum(w * logit(x) for w, x in there) / total)
        else:
            want = sum(w * x for w, x in there) / total
        want = sigmoid(logit(want) / 2)
        assert abs(float(r["p_fake"]) - want) < 1e-12, (name, r["path"], r["p_fake"], want)
        if len(there) < 3:
            assert r["message"].startswith("without "), r
assert all(seen.values()), seen
END
expect_code 0 "$FAKESIFT" models info detectors/blend.json
expect_text out 'kind: ensemble'

# Mistakes.
expect_code 2 run --detector "$(card same),$(card twin)" -o whole
expect_text err 'began with further_detectors = twin,spread,cover,keys, now it is twin'
expect_code 2 run --detector "$(card same)" -o whole
expect_text err 'began with further_detectors = twin,spread,cover,keys, now there is none'
expect_code 2 run --detector "$(card same),$(card twin)" -o alone-same
expect_text err 'began with further_detectors = , now it is twin'
expect_code 2 run --detector "$(card same),$(card same)" -o new
expect_text err 'named twice'
expect_code 2 run --detector "$(card same)," -o new
expect_text err 'empty name'
expect_code 2 run --detector detectors/nested.json -o new
expect_text err 'ensemble.members[0]'
expect_text err 'not an ensemble'
expect_code 2 run --detector detectors/blend.json -o new --save-crops
expect_text err 'is an ensemble'
cp -r detectors/twin detectors/other
sed -i 's/"name": "twin"/"name": "same"/' detectors/other/card.json
expect_code 2 run --detector "$(card same),$(card other)" -o new
expect_text err 'two detectors are called same'
[ ! -e new ] || fail "a refused run made its folder"
