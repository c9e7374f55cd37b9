"""The cut crops (cut.py) with what is known of them: label, method, group, and which split they are in.

A group (one source video, its fakes, its person) is never divided. Without a table a file's group is its name without
extension, so that a fake beside its original has its original's name, and a fake's method is its folder. A table
(labels.csv: path, label, family, method, group) says it better; it is matched by file name."""
import csv
import hashlib
import os

import numpy as np

# Kept out of the development run altogether, to see what a detector is worth on makers that it never met.
UNSEEN = {"GHOST(sber-swap)", "SadTalker", "Wav2Lip", "MuseV", "EDTalk"}
# Shares of groups held out: from the last weights, and from the development run.
LAST, HELD_OUT = 0.1, 0.25


def draw(group):
    return int(hashlib.sha256(("fakesift 2 " + group).encode()).hexdigest()[:8], 16) / 2**32


class Clips:
    """crops (N, frames, WIDE, WIDE, 3), memory-mapped; path, label, family, method, group, split: lists of N.

    split: "last" (held out from every run); "groups" (held out by group from the development run); "methods" (a group with a
    maker in UNSEEN, kept out of the same); "train"."""

    def __init__(self, work, names, table=None):
        known = {}
        if table:
            known = {os.path.basename(r["path"]): r for r in csv.DictReader(open(table))}
        self.arrays, self.rows = [], []
        for name in names:
            base = os.path.join(work, name)
            if not os.path.exists(base + ".npy"):
                continue
            array = np.load(base + ".npy", mmap_mode="r")
            for k, r in enumerate(csv.DictReader(open(base + ".csv"))):
                file = os.path.basename(r["path"])
                own = known.get(file, {})
                fake = name == "fake"
                method = own.get("method") or (os.path.dirname(r["path"]) or "fake" if fake else "")
                group = own.get("group") or ("portrait " if name == "portraits" else "") + os.path.splitext(file)[0]
                self.rows.append({"set": name, "path": r["path"], "clip": int(r["clip"]), "label": int(fake), "at": k,
                                  "family": own.get("family", ""), "method": method, "group": group, "array": len(self.arrays)})
            self.arrays.append(array)
        unseen = {r["group"] for r in self.rows if r["method"] in UNSEEN}
        for r in self.rows:
            at = draw(r["group"])
            r["split"] = "last" if at < LAST else "groups" if at < HELD_OUT else "methods" if r["group"] in unseen else "train"

    def frames(self, k):
        return self.arrays[self.rows[k]["array"]][self.rows[k]["at"]]

    def where(self, **want):
        """Indices of the rows whose fields are among the given values."""
        return [k for k, r in enumerate(self.rows) if all(r[f] in v for f, v in want.items())]
