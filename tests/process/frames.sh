#!/bin/bash
# Scores of single frames, and fake stretches: figures at frame level by group, as scikit-learn has them over RUN/frames; frames
# inside and outside of AV-Deepfake1M's fake_segments; the same figures for 1 and 2 ranks and after kill -9; 1M-Deepfakes' second
# task written, read, checked line by line.
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import numpy, sklearn' 2>/dev/null || skip "python3-numpy or python3-sklearn is not installed"

mkdir detector
cp "$SOURCE/tests/data/detectors/tiny-gru/frame.onnx" detector
/usr/bin/python3 - "$DETECTOR" <<'END'
import json, sys
card = json.load(open(sys.argv[1]))
card["name"], card["networks"] = "tiny-frames", {"frame": {"file": "frame.onnx"}}
card["output"] = {"meaning": "softmax", "classes": 16, "fake_index": 1}
json.dump(card, open("detector/card.json", "w"))
END
mkdir -p videos/train/a videos/train/b videos/test/c
for i in 1 2 3 4 5 6 7 8; do
    case $i in [1-3]) d=train/a ;; [4-6]) d=train/b ;; *) d=test/c ;; esac
    clip "videos/$d/$i.mp4" 2
done
echo 'no video' >videos/test/c/9.mp4
/usr/bin/python3 - <<'END'
import json
def row(file, split, kind, segments):
    return {"file": file, "original": None, "split": split, "modify_type": kind, "fake_segments": segments}
json.dump([row("a/1.mp4", "train", "real", []), row("a/2.mp4", "train", "visual_modified", [[0.2, 0.9]]),
           row("a/3.mp4", "train", "both_modified", [[0.1, 0.4], [1.2, 1.75]]), row("b/4.mp4", "train", "real", []),
           row("b/5.mp4", "train", "visual_modified", [[0, 2]]), row("b/6.mp4", "train", "visual_modified", [[1, 1.5]])],
          open("videos/train_metadata.json", "w"))
json.dump([row("c/7.mp4", "test", "real", []), row("c/8.mp4", "test", "both_modified", [[0.5, 1.5]]),
           row("c/9.mp4", "test", "both_modified", [[0.5, 1.0]])], open("videos/test_metadata.json", "w"))
END
run() { "$FAKESIFT" run videos --detector detector/card.json "$@"; }

expect_code 0 run -o plain --lanes 2
[ ! -e plain/frames ] || fail "frames without being asked for"
expect_code 0 run -o first --lanes 1 --save-frame-scores
cmp plain/scores.csv first/scores.csv || fail "the scores changed"
head -1 first/scores.csv | grep -q ',method,fake_segments$' || fail "no such columns"
grep -q '^train/a/3.mp4,FAKE.*,both_modified,0.1:0.4;1.2:1.75$' first/scores.csv || fail "a/3.mp4's stretches are lost"
/usr/bin/python3 - <<'END'
import csv, json, sqlite3
import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score, roc_curve
from scipy.interpolate import interp1d
from scipy.optimize import brentq

results = json.load(open("first/report.json"))["results"]
assert "undefined" in json.load(open("plain/report.json"))["results"]["frame"]
about = {r["path"]: r for r in csv.DictReader(open("first/scores.csv"))}
shards, frames, clips = {}, {}, {}
for r in csv.DictReader(open("first/frames/index.csv")):
    a = shards.setdefault(r["shard"], np.load("first/frames/" + r["shard"]))
    assert a.dtype == np.float32 and a.shape[1:] == (8, 2), a.shape
    for since, p in a[int(r["row"])]:
        if not np.isnan(p):
            key = r["path"], int(r["start_us"]) + round(float(since) * 1e6)
            frames[key] = max(frames.get(key, 0), float(p))
    clips[r["path"], r["clip"]] = float(np.mean(a[int(r["row"])][:, 1], dtype=np.float64))
db = sqlite3.connect("first/results.sqlite")
for path, clip, p in db.execute("SELECT path, clip, clip.p_fake FROM clip JOIN video ON id = video_id"):
    assert abs(clips[path, str(clip)] - p) < 1e-6, (path, clip)  # a clip of a frame network is the mean of its frames
assert len(frames) == 8 * 16

def is_fake(path, us):
    spans = [tuple(map(float, s.split(":"))) for s in about[path]["fake_segments"].split(";") if s]
    return about[path]["label"] == "FAKE" and (not spans or any(a <= us / 1e6 <= b for a, b in spans))

def check(got, keep, name):
    keys = [k for k in frames if keep(k[0])]
    y, p = np.array([is_fake(*k) for k in keys]), np.array([frames[k] for k in keys])
    assert got["n"] == len(y) and got["n_fake"] == y.sum(), (name, got["n"], len(y))
    if y.all() or not y.any():
        assert got["auc"] is None
        return 0
    fpr, tpr, _ = roc_curve(y, p, drop_intermediate=False)
    eer = brentq(lambda x: 1 - x - interp1d(fpr, tpr)(x), 0, 1, xtol=1e-15)
    for key, want in (("auc", roc_auc_score(y, p)), ("average_precision", average_precision_score(y, p)),
                      ("brier", brier_score_loss(y, p)), ("log_loss", log_loss(y, p))):
        assert abs(got[key] - want) < 1e-12, (name, key, got[key], want)
    assert abs(got["eer"] - eer) < 1e-12, (name, got["eer"], eer)
    return 1

n = check(results["frame"], lambda path: True, "all")
assert results["frame"]["n_videos"] == 8 and results["frame"]["of_one_video_in"] == 1
reals = {p for p in about if about[p]["label"] == "REAL"}
for key, field in (("splits", "split"), ("groups", "group"), ("codecs", "codec"), ("families", "family"), ("methods", "method")):
    for g in results[key]:
        n += check(g["frame"], lambda p: about[p][field] == g["name"] or (key in ("families", "methods") and p in reals), g["name"])
        assert "auc_by_video_95" in g["clip"]
for g in results["resolutions"]:
    n += check(g["frame"], lambda p: g["name"] != "", g["name"])
assert n >= 6, n
assert {g["name"] for g in results["methods"]} >= {"visual_modified", "both_modified"}
assert dict(db.execute("SELECT method, n FROM by_method WHERE label = 'FAKE'")) == {"visual_modified": 3, "both_modified": 3}
where = results["localisation"]
assert where["n_fake_segments"] == 7 and where["n_videos"] == 9 and where["n_videos_by_frames"] == 8, where
print(n, "groups and the whole agree with scikit-learn")
END

# Two ranks, and a run that is killed and goes on: the same results.
expect_code 0 mpi -n 2 "$FAKESIFT" run videos --detector detector/card.json -o two --lanes 1 --save-frame-scores
results() { /usr/bin/python3 -c 'import json,sys; print(json.dumps(json.load(open(sys.argv[1]+"/report.json"))["results"]))' "$1"; }
[ "$(results first)" = "$(results two)" ] || fail "two ranks: other results"
"$FAKESIFT" run videos --detector detector/card.json -o killed --lanes 1 --flush 1 --save-frame-scores >/dev/null 2>&1 & PIDS=$!
wait_for 60 test -s killed/frames/index.csv -o -n "$(find killed/frames -name '*.rows' -size +200c 2>/dev/null)"
kill -9 "$PIDS" 2>/dev/null || true
wait "$PIDS" 2>/dev/null || true
PIDS=
expect_code 0 run -o killed --lanes 1 --save-frame-scores
[ "$(results first)" = "$(results killed)" ] || fail "killed: other results"

# A detector that gives one score a clip says so; one that works on landmarks is refused elsewhere.
expect_code 0 "$FAKESIFT" run videos --detector "$DETECTOR" -o clips --save-frame-scores
expect_text err 'no clip has scores of single frames'

# 1M-Deepfakes, task 2: what report writes, eval takes and measures as the report does.
expect_code 0 "$FAKESIFT" report first --board 1mdf-2 -o first.json
expect_text err '1 of 9 videos have no score; the file has no stretch for them'
expect_code 0 "$FAKESIFT" eval --truth first --json eval.json first.json
expect_text out '9 videos with 7 fake stretches'
/usr/bin/python3 - <<'END'
import json
row, where = json.load(open("eval.json"))["standings"][0]["rows"][0], json.load(open("first/report.json"))["results"]["localisation"]
for key in ("ap_0.5", "ap_0.95", "ar_50", "ar_5", "score"):
    assert abs(row[key] - where[key]) < 1e-14, (key, row[key], where[key])
bad = json.load(open("first.json"))
names = sorted(bad)
bad[names[0]] = [[1.5, 0, 1]]
bad[names[1]] = [[0.5, 2, 1]]
bad[names[2]] = [[0.5, 2]]
bad[names[3]] = "fake"
bad["other.mp4"] = []
del bad[names[4]]
json.dump(bad, open("bad.json", "w"), indent=0, sort_keys=True)
text = open("first.json").read().rstrip().rstrip("}") + ",\n\"1.mp4\":[]}\n"
open("twice.json", "w").write(text)
END
expect_code 2 "$FAKESIFT" eval --truth first bad.json first.json
expect_text err "bad.json:2: '1.mp4': proposal 1: confidence 1.5 is not in 0..1"
expect_text err "'2.mp4': proposal 1: 2 to 1 is no stretch of time"
expect_text err "'3.mp4': proposal 1: not [confidence,start,end]"
expect_text err "'4.mp4': not a list of at most 10000 proposals"
expect_text err "'other.mp4': an id that the truth does not have"
expect_text err "bad.json: 'train/b/5.mp4': an id of the truth that has no row"
expect_text out 'refused: bad.json (1mdf-2): 2 out of range, 2 unknown word, 1 extra, 1 missing'
expect_code 2 "$FAKESIFT" eval --truth first twice.json
expect_text err "twice.json:10: '1.mp4': an id that stands twice"
expect_code 0 "$FAKESIFT" report first --board 1mdf -o first.txt
expect_code 2 "$FAKESIFT" eval --truth first first.txt first.json
expect_text err 'rank them apart'
printf 'path,label\n1.mp4,1\n2.mp4,0\n' >bare.csv
printf '{"1.mp4":[],"2.mp4":[]}' >bare.json
expect_code 2 "$FAKESIFT" eval --truth bare.csv bare.json
expect_text err 'the truth states no fake_segments'
