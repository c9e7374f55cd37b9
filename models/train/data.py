"""Training clips in memory, their weights in the draw, and what is still varied at training time."""
import glob
import os

import cv2
import numpy as np
import torch

from make_clips import KINDS, SIDE, STORE

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
# Share of each kind in an epoch: half real, half fake, so that neither the corpus's counts nor a source decides.
SHARE = {"real_video": 0.34, "real_still": 0.16, "blend_video": 0.18, "blend_still": 0.10, "swap": 0.14, "talking": 0.08}


def load(folder):
    clips, kinds, names = [], [], []
    for p in sorted(glob.glob(os.path.join(folder, "shard*.npz"))):
        if p.endswith(".tmp.npz"):
            continue
        d = np.load(p)
        clips.append(d["clips"])
        kinds.append(d["kinds"])
        names.append(d["names"])
    kinds, names = np.concatenate(kinds), np.concatenate(names)
    labels = np.array([0.0 if KINDS[k].startswith("real") else 1.0 for k in kinds], np.float32)
    # Within a kind every source weighs the same, however many of its clips were kept.
    weight = np.zeros(len(kinds))
    for k, name in enumerate(KINDS):
        of = np.flatnonzero(kinds == k)
        sources, inverse, count = np.unique(names[of], return_inverse=True, return_counts=True)
        weight[of] = SHARE[name] / (len(sources) * count[inverse]) if len(of) else 0
    return clips, np.cumsum([0] + [len(c) for c in clips]), labels, weight / weight.sum(), kinds


def clip(clips, starts, i):
    s = np.searchsorted(starts, i, "right") - 1
    return clips[s][i - starts[s]]


def vary(rng, frames):
    """frames (T, STORE, STORE, 3) of one clip -> (T, SIDE, SIDE, 3); one draw for all of them, but for the shift's jitter."""
    room = STORE - SIDE
    at, flip = rng.integers(0, room + 1, 2), rng.random() < 0.5
    gain, bias = rng.uniform(0.85, 1.15), rng.normal(0, 6)
    quality = int(rng.integers(50, 96)) if rng.random() < 0.25 else 0
    blur = rng.uniform(0.3, 1.0) if rng.random() < 0.15 else 0
    grey = rng.random() < 0.05
    hole = rng.integers(0, SIDE, 4) if rng.random() < 0.2 else None
    out = []
    for f in frames:
        y, x = np.clip(at + rng.integers(-1, 2, 2), 0, room)
        f = f[y:y + SIDE, x:x + SIDE]
        if flip:
            f = f[:, ::-1]
        f = np.clip(f.astype(np.float32) * gain + bias, 0, 255).astype(np.uint8)
        if blur:
            f = cv2.GaussianBlur(f, (0, 0), blur)
        if quality:
            f = cv2.imdecode(cv2.imencode(".jpg", f, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
        if grey:
            f = np.repeat(f.mean(2, keepdims=True).astype(np.uint8), 3, 2)
        if hole is not None:
            f = f.copy()
            f[hole[0]:hole[0] + 10 + hole[2] // 4, hole[1]:hole[1] + 10 + hole[3] // 4] = 127
        out.append(f)
    return np.stack(out)


def tensor(frames):
    """(N, H, W, 3) uint8 -> (N, 3, H, W) normalised, as the card's tensor section says."""
    x = frames.astype(np.float32) * (1 / (255 * DEVIATION)) - MEAN / DEVIATION
    return torch.from_numpy(x).permute(0, 3, 1, 2)  # NCHW in shape, channels last in memory
