"""Training pairs, made until told to stop: shards WORK/FOLDER/NNNN.npz of clips (pairs, 2, T, STORE, STORE, 3), real first,
with kinds (what the fake is) and rows (where real and fake come from). A shard depends on its number alone.

Usage: make_clips.py WORK FOLDER --frames T --shards N [--all] [--table CSV] [--without KIND,...]"""
import argparse
import os

import cv2
import numpy as np
import torch

import blends
import chain
import makers
from source import Clips

# Shares of the kinds of pairs. self: pasted on itself; swap: another person's face; drawn: by an autoencoder (of itself, or
# of another person); the same three of a portrait in motion; true: a fake of the corpus beside its original or another real.
KINDS = {"self": 0.16, "swap": 0.08, "drawn": 0.2, "still_self": 0.04, "still_swap": 0.02, "still_drawn": 0.08, "true": 0.42}
PAIRS, SHEETS = 8, 6  # pairs of one sheet, sheets of a shard


class Stock:
    def __init__(self, work, table, everything, without):
        self.c = Clips(work, ["real", "fake", "portraits"], table)
        split = ["train", "methods", "groups"] if everything else ["train"]
        self.real, self.fake, self.stills = (self.c.where(set=[s], split=split) for s in ("real", "fake", "portraits"))
        self.makers = makers.load(work)
        self.kinds = [k for k in KINDS if k not in without and (self.fake or k != "true") and (self.stills or "still" not in k)]
        self.share = np.array([KINDS[k] for k in self.kinds]) / sum(KINDS[k] for k in self.kinds)
        by = {}
        for k in self.fake:
            r = self.c.rows[k]
            by.setdefault(r["method"], {}).setdefault(r["path"], []).append(k)
        # Methods weigh by the root of their number of videos: neither one large method nor one lone clip decides.
        self.methods = [list(m.values()) for m in by.values()]
        w = np.array([len(m) ** 0.5 for m in self.methods])
        self.method_share = w / w.sum() if len(w) else w
        self.videos = {}
        for k in self.real:
            self.videos.setdefault(self.c.rows[k]["path"], []).append(k)
        self.videos = list(self.videos.values())

    def span(self, rng, k, t):
        f = self.c.frames(k)
        at = int(rng.integers(0, len(f) - t + 1))
        return np.array(f[at:at + t])

    def any_real(self, rng):
        v = self.videos[rng.integers(len(self.videos))]
        return v[rng.integers(len(v))]

    def pair(self, rng, t):
        kind = str(rng.choice(self.kinds, p=self.share))
        if kind == "true":
            m = self.methods[rng.choice(len(self.methods), p=self.method_share)]
            video = m[rng.integers(len(m))]
            fake = video[rng.integers(len(video))]
            beside = [k for k in self.real if self.c.rows[k]["group"] == self.c.rows[fake]["group"]]
            real = int(rng.choice(beside)) if beside else self.any_real(rng)
            return kind, (real, fake), (self.span(rng, real, t), self.span(rng, fake, t))
        if kind.startswith("still"):
            real, other = (int(k) for k in rng.choice(self.stills, 2, replace=False))
            clip = blends.still_to_clip(rng, self.c.frames(real)[0], t)
            donor = np.repeat(self.c.frames(other)[:1], t, 0)
        else:
            real, other = self.any_real(rng), self.any_real(rng)
            clip, donor = self.span(rng, real, t), self.span(rng, other, t)
        what = kind.split("_")[-1]
        if what != "swap" and not (what == "drawn" and rng.random() < 0.35):
            donor = None
        fake = blends.blend(rng, clip, donor, self.makers if what == "drawn" else None)
        return kind, (real, other if donor is not None else real), (clip, fake)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("work")
    p.add_argument("folder")
    p.add_argument("--frames", type=int, default=4)
    p.add_argument("--shards", type=int, default=10)
    p.add_argument("--first", type=int, default=0)
    p.add_argument("--all", action="store_true", help="what is kept out of the development run trains too, but for the split 'last'")
    p.add_argument("--table")
    p.add_argument("--without", default="")
    a = p.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    out = os.path.join(a.work, a.folder)
    os.makedirs(out, exist_ok=True)
    stock = Stock(a.work, a.table, a.all, a.without.split(","))
    for n in range(a.first, a.first + a.shards):
        path = os.path.join(out, f"{n:04d}.npz")
        if os.path.exists(path):
            continue
        rng, clips, kinds, rows = np.random.default_rng([31, n]), [], [], []
        for _ in range(SHEETS):
            pairs = [stock.pair(rng, a.frames) for _ in range(PAIRS)]
            clips.append(chain.through(rng, [x[2] for x in pairs]))
            kinds += [x[0] for x in pairs]
            rows += [x[1] for x in pairs]
        np.savez(path + ".tmp.npz", clips=np.concatenate(clips), kinds=kinds, rows=rows)
        os.replace(path + ".tmp.npz", path)
        print(path, flush=True)


if __name__ == "__main__":
    main()
