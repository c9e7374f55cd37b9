"""Which group trains and which validates. Never by row: a group (one source video, its fakes, its person) stays whole."""
import csv
import hashlib
import os

HELD_OUT_METHODS = {"GHOST(sber-swap)", "SadTalker", "Wav2Lip", "MuseV", "EDTalk"}
VALIDATION_SHARE = 0.3


def in_validation(group):
    return int(hashlib.sha256(("fakesift-small 1 " + group).encode()).hexdigest()[:8], 16) / 2**32 < VALIDATION_SHARE


def labelled(folder):
    """Rows of labels.csv with 'split': train, val (a held-out group) or val_method (a held-out method's group)."""
    rows = list(csv.DictReader(open(os.path.join(folder, "labels.csv"))))
    held = {r["group"] for r in rows if r["method"] in HELD_OUT_METHODS}
    for r in rows:
        r["name"] = os.path.basename(r["path"])
        r["split"] = "val_method" if r["group"] in held else "val" if in_validation(r["group"]) else "train"
    return rows


def portraits(folder):
    names = [n for n in sorted(os.listdir(folder)) if n.endswith(".jpg")]
    return [{"name": n, "split": "val" if in_validation("portrait " + n) else "train"} for n in names]
