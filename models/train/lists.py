"""Writes WORK/train.tsv and WORK/val.tsv (PATH<TAB>NAME) for extract.py. Usage: lists.py CORPUS WORK"""
import os
import sys

import split

corpus, work = sys.argv[1:3]
labelled, portraits, gifs, unseen = (os.path.join(corpus, "labelled"), os.path.join(corpus, "portraits"),
                                     os.path.join(corpus, "smoke", "fake"), os.path.join(work, "unseen"))
rows = split.labelled(labelled)
train = [(os.path.join(labelled, r["path"]), r["name"]) for r in rows if r["split"] == "train"]
train += [(os.path.join(portraits, r["name"]), r["name"]) for r in split.portraits(portraits) if r["split"] == "train"]
val = [(os.path.join(labelled, r["path"]), r["name"]) for r in rows if r["split"] != "train"]
val += [(os.path.join(gifs, n), "smoke_" + n) for n in sorted(os.listdir(gifs))]
for n in sorted(os.listdir(unseen)) if os.path.isdir(unseen) else []:
    stem, ext = os.path.splitext(n)
    if ext and os.path.exists(os.path.join(unseen, "_".join(stem.split("_")[:2]) + "_done")):
        val.append((os.path.join(unseen, n), "unseen_" + stem))
for name, list_ in (("train", train), ("val", val)):
    with open(os.path.join(work, name + ".tsv"), "w") as f:
        f.writelines(f"{p}\t{n}\n" for p, n in list_)
