"""Cached wide crops -> training clips (T, STORE, STORE, 3) after blends and the chain; shards of 50 clips, each from its
own seed, so a run that was cut short goes on and any number of processes gives the same bytes."""
import argparse
import os

import cv2
import numpy as np

import blends
import split

FRAMES, SIDE, MARGIN = 16, 128, 1.2
STORE = 136  # room for a shift at training time; the margin grows with it
SHARD = 50
KINDS = ["real_video", "real_still", "blend_video", "blend_still", "swap", "talking"]


def pick(rng, crops):
    n = len(crops)
    if n == 1:
        clip = blends.still_to_clip(rng, crops[0], FRAMES)
        return blends.talk(rng, clip) if rng.random() < 0.65 else clip
    if rng.random() < 0.5 or n < FRAMES:
        i = np.sort(rng.choice(n, FRAMES, replace=n < FRAMES))
    else:
        i = rng.integers(0, n - FRAMES + 1) + np.arange(FRAMES)
    return crops[i]


def jobs(args):
    """(kind, cache name, donors) of every clip, in an order that mixes the kinds."""
    rows = [r for r in split.labelled(args.labelled) if r["split"] == "train"]
    stills = [p["name"] for p in split.portraits(args.portraits) if p["split"] == "train"]
    reals = [r["name"] for r in rows if r["label"] == "REAL"]
    swaps = [r["name"] for r in rows if r["family"] == "faceswap"]
    talks = [r["name"] for r in rows if r["label"] == "FAKE" and r["family"] != "faceswap"]
    out = [("real_video", n) for n in reals * 12] + [("real_still", n) for n in stills * 3]
    out += [("blend_video", n) for n in reals * 12] + [("blend_still", n) for n in stills * 4]
    out += [("swap", n) for n in swaps * 16] + [("talking", n) for n in talks * 20]
    out = [j for j in out if os.path.exists(os.path.join(args.cache, j[1] + ".npz"))]
    np.random.default_rng(1).shuffle(out)
    return [tuple(j) for j in out], reals, stills


def make(k, kind, name, crops, reals, stills):
    rng, src = np.random.default_rng([7, k]), crops(name)
    if len(src) == 0 or (len(src) < 8 and len(src) != 1):
        return None
    clip = pick(rng, src)
    if kind.startswith("blend"):
        donor = None
        if rng.random() > 0.62:
            other = crops(str(rng.choice(stills if len(src) == 1 else reals)))
            donor = pick(rng, other) if len(other) and (len(other) == 1 or len(other) >= 8) else None
        clip = blends.self_blend(rng, clip, donor)
    clip = blends.chain(rng, clip)
    return blends.final_crop(rng, clip, STORE, MARGIN * STORE / SIDE)


def main():
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--labelled", required=True)
    a.add_argument("--portraits", required=True)
    a.add_argument("--cache", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--shards", type=int, default=10**6, help="stop after so many; the jobs are mixed, so any number will do")
    a.add_argument("--part", default="0/1")
    a = a.parse_args()
    cv2.setNumThreads(1)
    os.makedirs(a.out, exist_ok=True)
    todo, reals, stills = jobs(a)
    i, n = map(int, a.part.split("/"))

    def crops(name):
        return np.load(os.path.join(a.cache, name + ".npz"))["crops"]

    for s in range(i, min((len(todo) + SHARD - 1) // SHARD, a.shards), n):
        path = os.path.join(a.out, f"shard{s:04d}.npz")
        if os.path.exists(path):
            continue
        clips, kinds, names = [], [], []
        for k in range(s * SHARD, min((s + 1) * SHARD, len(todo))):
            kind, name = todo[k]
            clip = make(k, kind, name, crops, reals, stills)
            if clip is None:
                continue
            clips.append(clip)
            kinds.append(KINDS.index(kind))
            names.append(name)
        np.savez(path + ".tmp.npz", clips=np.array(clips), kinds=np.array(kinds), names=np.array(names))
        os.replace(path + ".tmp.npz", path)
        print(f"shard {s}: {len(clips)} clips", flush=True)


if __name__ == "__main__":
    main()
