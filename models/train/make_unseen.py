"""Validation clips in the manner of a rendered demo: held-out portraits and held-out real videos, whole frames, with and
without a pasted face, encoded with H.264. The pasting shares no code with blends.py: polygon hulls in the frame, feathered
or Poisson-blended (Perez et al. 2003), a still mouth or another person's face. Real and fake of a pair are encoded alike."""
import argparse
import os
import subprocess

import cv2
import numpy as np
import torch

import split
from extract import read_frames
from mtcnn import Mtcnn, similarity, template

# Outline of a face in the 112 template's coordinates (margin 1), drawn by hand: brow, temples, jaw.
HULL = np.array([[26, 40], [40, 32], [56, 30], [72, 32], [86, 40], [90, 60], [86, 82], [76, 100], [56, 110], [36, 100], [26, 82], [22, 60]], float)
MOUTH = np.array([[36, 86], [56, 80], [76, 86], [78, 96], [56, 106], [34, 96]], float)


def moved(img, k, n, path):
    h, w = img.shape[:2]
    p = 2 * np.pi * k / n
    m = cv2.getRotationMatrix2D((w / 2, h / 2), path[0] * np.sin(p + path[1]), 1 + path[2] * np.sin(p * 0.7 + path[3]))
    m[:, 2] += (path[4] * np.sin(p + path[5]), path[6] * np.cos(p * 1.3 + path[7]))
    return cv2.warpAffine(img, m, (w, h), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def frames_of_still(rng, path, n):
    img = cv2.imread(path)[:, :, ::-1]
    f = rng.uniform(320, 560) / img.shape[1]
    img = cv2.resize(img, None, fx=f, fy=f, interpolation=cv2.INTER_AREA if f < 1 else cv2.INTER_CUBIC)
    img = np.ascontiguousarray(img[:img.shape[0] // 2 * 2, :img.shape[1] // 2 * 2])
    m = rng.uniform(0, 6.3, 8)
    m[[0, 2, 4, 6]] = rng.uniform(1, 6), rng.uniform(0.02, 0.08), rng.uniform(3, 14), rng.uniform(2, 10)
    return [moved(img, k, n, m) for k in range(n)]


class Paste:
    KINDS = ["self_feather", "self_poisson", "other_poisson", "other_feather", "mouth_still", "frame_flicker"]

    def __init__(self, rng, kind, donor):
        self.rng, self.kind, self.donor = rng, kind, donor
        outline = MOUTH if kind == "mouth_still" else HULL
        self.hull = (outline - 56) * rng.uniform(0.9, 1.08) + 56 + rng.normal(0, 1.2, outline.shape)
        self.feather = rng.uniform(0.01, 0.06)
        self.gain, self.low = rng.normal(1, 0.06, 3), rng.uniform(0.35, 0.8)
        self.offset, self.zoom = rng.normal(0, 2.0, 2), 1 + rng.normal(0, 0.03)
        self.first = None

    def __call__(self, rgb, points):
        h, w = rgb.shape[:2]
        m = similarity(points, template(112, 1.0))
        back = cv2.invertAffineTransform(m)
        scale = np.hypot(back[0, 0], back[1, 0])
        poly = (np.c_[self.hull, np.ones(len(self.hull))] @ back.T).round().astype(np.int32)
        if self.kind.startswith("other") or self.kind == "mouth_still":
            if self.kind == "mouth_still" and self.first is None:
                self.first = rgb.copy(), points.copy()
            src, at = self.donor if self.kind.startswith("other") else self.first
            src = cv2.warpAffine(src, similarity(at, points), (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        else:
            c = points.mean(0)
            a = np.array([[self.zoom, 0, c[0] * (1 - self.zoom)], [0, self.zoom, c[1] * (1 - self.zoom)]])
            a[:, 2] += self.offset * scale
            if self.kind == "frame_flicker":
                a[:, 2] += self.rng.normal(0, 1.0, 2) * scale
            src = cv2.warpAffine(rgb, a, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        low = cv2.resize(src, None, fx=self.low, fy=self.low, interpolation=cv2.INTER_AREA)
        src = cv2.resize(low, (w, h), interpolation=cv2.INTER_CUBIC)
        mask = np.zeros((h, w), np.uint8)
        cv2.fillPoly(mask, [poly], 255)
        if not self.kind.endswith("poisson"):
            gain = self.gain * (self.rng.normal(1, 0.02) if self.kind == "frame_flicker" else 1)
            soft = cv2.GaussianBlur(mask, (0, 0), max(self.feather * 112 * scale, 0.6)).astype(np.float32)[..., None] / 255
            return np.clip(rgb * (1 - soft) + src * gain * soft, 0, 255).astype(np.uint8)
        mask[:2], mask[-2:], mask[:, :2], mask[:, -2:] = 0, 0, 0, 0
        x, y, bw, bh = cv2.boundingRect(mask)
        if bw < 8 or bh < 8:
            return rgb
        return cv2.seamlessClone(src, rgb, mask, (x + bw // 2, y + bh // 2), cv2.NORMAL_CLONE)


def write(path, frames, crf):
    h, w = frames[0].shape[:2]
    h, w = h // 2 * 2, w // 2 * 2
    raw = b"".join(np.ascontiguousarray(f[:h, :w]).tobytes() for f in frames)
    subprocess.run(["ffmpeg", "-y", "-v", "error", "-threads", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{w}x{h}", "-r", "25", "-i", "-",
                    "-threads", "1", "-c:v", "libx264", "-preset", "veryfast", "-crf", str(crf), "-pix_fmt", "yuv420p", path],
                   input=raw, check=True)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--labelled", required=True)
    p.add_argument("--portraits", required=True)
    p.add_argument("--mtcnn", required=True)
    p.add_argument("--out", required=True)
    a = p.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    os.makedirs(a.out, exist_ok=True)
    find = Mtcnn(a.mtcnn)
    stills = [os.path.join(a.portraits, r["name"]) for r in split.portraits(a.portraits) if r["split"] == "val"]
    videos = [os.path.join(a.labelled, r["path"]) for r in split.labelled(a.labelled) if r["split"] == "val" and r["label"] == "REAL"]

    def faces(frames):
        out = []
        for f in frames:
            boxes, points = find(f)
            out.append(points[np.argmax(boxes[:, 2] - boxes[:, 0])] if len(boxes) else None)
        return out

    def donor(rng):
        while True:
            img = cv2.imread(str(rng.choice(stills)))[:, :, ::-1].copy()
            at = faces([img])[0]
            if at is not None:
                return img, at

    for k, path in enumerate(stills + videos):
        rng, still = np.random.default_rng([11, k]), path.endswith(".jpg")
        base = os.path.join(a.out, f"{'still' if still else 'video'}_{k:03d}")
        if os.path.exists(base + "_done"):
            continue
        frames = frames_of_still(rng, path, 48) if still else [f for _, f in read_frames(path, 24)]
        points = faces(frames)
        if sum(q is not None for q in points) < 12:
            continue
        kind = Paste.KINDS[k % len(Paste.KINDS)]
        paste = Paste(rng, kind, donor(rng) if kind.startswith("other") else None)
        crf = int(rng.integers(18, 31))
        fake = [f if q is None else paste(f, q) for f, q in zip(frames, points)]
        write(base + "_real.mp4", frames, crf)
        write(f"{base}_fake_{kind}.mp4", fake, crf)
        open(base + "_done", "w").close()
        print(base, kind, flush=True)


if __name__ == "__main__":
    main()
