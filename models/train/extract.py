"""Videos and portraits -> aligned wide face crops, once, into a cache folder outside the repository.

One .npz a clip: crops (T, WIDE, WIDE, 3) uint8 RGB, t (T,) indices of the sampled frames. Existing files are kept, so
a run that was cut short goes on. WIDE and WIDE_MARGIN leave room for the blends and for jitter of the final crop."""
import argparse
import csv
import os
import sys

import cv2
import numpy as np
import torch

from mtcnn import Mtcnn, align

WIDE, WIDE_MARGIN = 224, 1.8


def read_frames(path, count):
    """count frames evenly spread over the video, decoded in order (seeking is not exact in every container)."""
    v, frames = cv2.VideoCapture(path), 0
    while v.grab():
        frames += 1
    v = cv2.VideoCapture(path)
    want = sorted({int((i + 0.5) * frames / count) for i in range(count)}) if frames else []
    out, at = [], -1
    for w in want:
        while at < w:
            if not v.grab():
                return out
            at += 1
        ok, bgr = v.retrieve()
        if ok:
            out.append((w, bgr[:, :, ::-1].copy()))
    return out


def overlap(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    i = max(w, 0) * max(h, 0)
    return i / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - i)


def extract(find, frames, side=WIDE, margin=WIDE_MARGIN):
    """The largest face, followed: the box that overlaps the last one, else the largest."""
    crops, ts, last = [], [], None
    for t, rgb in frames:
        boxes, points = find(rgb)
        if not len(boxes):
            continue
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        i = int(np.argmax(area))
        if last is not None:
            o = [overlap(last, b) for b in boxes]
            if max(o) >= 0.3:
                i = int(np.argmax(o))
        last = boxes[i]
        crops.append(align(rgb, points[i], side, margin))
        ts.append(t)
    return np.array(crops, np.uint8), np.array(ts)


def main():
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("list", help="text file: PATH<TAB>NAME, one video or picture a line")
    a.add_argument("cache")
    a.add_argument("--mtcnn", required=True, help="folder with det1..3.npy")
    a.add_argument("--frames", type=int, default=24)
    a.add_argument("--side", type=int, default=WIDE)
    a.add_argument("--margin", type=float, default=WIDE_MARGIN)
    a.add_argument("--part", default="0/1", help="I/N: every N-th line from the I-th")
    a = a.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    os.makedirs(a.cache, exist_ok=True)
    find, (i, n) = Mtcnn(a.mtcnn), map(int, a.part.split("/"))
    rows = list(csv.reader(open(a.list), delimiter="\t"))
    for path, name in rows[i::n]:
        out = os.path.join(a.cache, name + ".npz")
        if os.path.exists(out):
            continue
        picture = cv2.imread(path) if path.lower().endswith((".jpg", ".png")) else None
        frames = [(0, picture[:, :, ::-1].copy())] if picture is not None else read_frames(path, a.frames)
        crops, ts = extract(find, frames, a.side, a.margin)
        np.savez(out + ".tmp.npz", crops=crops, t=ts)
        os.replace(out + ".tmp.npz", out)
        print(name, len(frames), len(crops), flush=True)


if __name__ == "__main__":
    sys.exit(main())
