"""Fakes that cost nothing: a face pasted on itself or on another (after Shiohara & Yamasaki, "Detecting Deepfakes with
Self-Blended Images", 2022), over time; and the chain of re-compression that reals and fakes share.

All work is on wide aligned crops (extract.py), so the face's points are those of the template."""
import subprocess

import cv2
import numpy as np

from extract import WIDE, WIDE_MARGIN
from mtcnn import template

POINTS = template(WIDE, WIDE_MARGIN)
EYE_Y, MOUTH_Y = POINTS[:2, 1].mean(), POINTS[3:, 1].mean()
YY, XX = np.mgrid[0:WIDE, 0:WIDE].astype(np.float32)


def warp(img, dx=0.0, dy=0.0, scale=1.0, degrees=0.0, centre=(WIDE / 2, WIDE / 2 + 16), border=cv2.BORDER_REFLECT_101):
    m = cv2.getRotationMatrix2D(centre, degrees, scale)
    m[:, 2] += (dx, dy)
    return cv2.warpAffine(img, m, (img.shape[1], img.shape[0]), flags=cv2.INTER_LINEAR, borderMode=border)


def smooth_noise(rng, shape, cells, amount):
    n = rng.normal(0, amount, (cells, cells)).astype(np.float32)
    return cv2.resize(n, shape[::-1], interpolation=cv2.INTER_CUBIC)


def walk(rng, t, amount):
    """t smooth values about 0 of deviation about amount: a slow drift."""
    k = np.cumsum(rng.normal(0, 1, t + 8))
    k = np.convolve(k, np.ones(9) / 9, "valid")
    return (k - k.mean()) / (k.std() + 1e-6) * amount


def mask_shape(rng, region):
    """A soft mask 0..1: a superellipse of uneven radius about the face, or about the mouth."""
    if region == "mouth":
        cx, cy, rx, ry = WIDE / 2, MOUTH_Y + rng.uniform(-2, 6), rng.uniform(18, 32), rng.uniform(11, 24)
    elif region == "lower":
        cx, cy, rx, ry = WIDE / 2, MOUTH_Y - rng.uniform(0, 12), rng.uniform(28, 42), rng.uniform(22, 32)
    elif region == "eyes":
        cx, cy, rx, ry = WIDE / 2, EYE_Y + rng.uniform(-4, 6), rng.uniform(32, 44), rng.uniform(12, 22)
    else:
        cx, cy, rx, ry = WIDE / 2, rng.uniform(122, 134), rng.uniform(30, 46), rng.uniform(36, 54)
    x = XX + smooth_noise(rng, XX.shape, 5, rng.uniform(0, 5))
    y = YY + smooth_noise(rng, YY.shape, 5, rng.uniform(0, 5))
    p = rng.uniform(1.8, 3.5)
    m = (np.abs((x - cx) / rx) ** p + np.abs((y - cy) / ry) ** p < 1).astype(np.float32)
    if region == "face" and rng.random() < 0.3:  # a hull cut at the brow, as landmark hulls are
        m *= (y > EYE_Y - rng.uniform(8, 22)).astype(np.float32)
    k = rng.choice([0.7, 1.5, 3, 5, 8])
    return cv2.GaussianBlur(m, (0, 0), k)


def colour_match(src, dst, mask):
    """Mean and deviation of the pasted region follow the target's, channel by channel in Lab (Reinhard 2001)."""
    a, b = (cv2.cvtColor(i, cv2.COLOR_RGB2LAB).astype(np.float32) for i in (src, dst))
    w = mask > 0.5
    if w.sum() < 50:
        return src
    out = (a - a[w].mean(0)) / (a[w].std(0) + 1) * (b[w].std(0) + 1) + b[w].mean(0)
    return cv2.cvtColor(np.clip(out, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)


def lower_resolution(img, side, up):
    h, w = img.shape[:2]
    small = cv2.resize(img, (side * w // max(h, w), side * h // max(h, w)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (w, h), interpolation=up)


def jpeg(img, quality):
    return cv2.imdecode(cv2.imencode(".jpg", img, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1], cv2.IMREAD_COLOR)


class Look:
    """What was done to the pasted face, drawn once a clip; strength says how much."""

    def __init__(self, rng, strength):
        s = strength
        self.gain = 1 + rng.normal(0, 0.06 * s, 3) + rng.normal(0, 0.05 * s)
        self.bias = rng.normal(0, 6 * s, 3) + rng.normal(0, 6 * s)
        self.saturation = 1 + rng.normal(0, 0.12 * s)
        self.side = int(rng.uniform(60, 150)) if rng.random() < 0.6 else 0
        self.up = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST], p=[0.5, 0.4, 0.1]))
        self.blur = rng.uniform(0.4, 1.8) if rng.random() < 0.3 else 0
        self.sharpen = rng.uniform(0.3, 1.5) if rng.random() < 0.3 else 0
        self.smooth = rng.random() < 0.15
        self.quality = rng.integers(25, 80) if rng.random() < 0.25 else 0

    def __call__(self, img):
        x = img
        if self.side:
            x = lower_resolution(x, self.side, self.up)
        if self.smooth:
            x = cv2.bilateralFilter(x, 5, 30, 5)
        if self.blur:
            x = cv2.GaussianBlur(x, (0, 0), self.blur)
        if self.sharpen:
            x = cv2.addWeighted(x, 1 + self.sharpen, cv2.GaussianBlur(x, (0, 0), 1.5), -self.sharpen, 0)
        if self.quality:
            x = jpeg(x, self.quality)
        x = x.astype(np.float32)
        grey = x.mean(2, keepdims=True)
        x = (grey + (x - grey) * self.saturation) * self.gain + self.bias
        return np.clip(x, 0, 255).astype(np.uint8)


def self_blend(rng, clip, donor=None):
    """clip (T,H,W,3) -> the clip with a pasted face. donor: a clip of another person (or None: the face itself)."""
    t = len(clip)
    region = rng.choice(["face", "mouth", "lower", "eyes"], p=[0.66, 0.16, 0.12, 0.06])
    mode = rng.choice(["steady", "drift", "flicker"], p=[0.4, 0.35, 0.25])
    strength = rng.uniform(0.5, 1.6)
    mask, look = mask_shape(rng, region), Look(rng, strength)
    ratio = rng.choice([0.5, 0.75, 1, 1, 1])
    shift = 0 if rng.random() < 0.5 else int(rng.integers(1, 4))  # another moment's expression
    match = donor is not None and rng.random() < 0.8
    dx, dy = rng.normal(0, 2.0 * strength, 2)
    scale, rot = 1 + rng.normal(0, 0.02 * strength), rng.normal(0, 1.5 * strength)
    wx, wy, wr, wg = (walk(rng, t, a) if mode == "drift" else np.zeros(t) for a in (1.5, 1.5, 1.2, 4.0))
    field = None
    if rng.random() < 0.4:
        field = [smooth_noise(rng, XX.shape, 6, rng.uniform(0.5, 2.5)) for _ in "xy"]
    out = []
    for k in range(t):
        src = (donor if donor is not None else clip)[(k + shift) % t]
        if match:
            src = colour_match(src, clip[k], mask)
        src = look(src)
        j = rng.normal(0, 1, 4) * (1.0 if mode == "flicker" else 0.15)
        src = warp(src, dx + wx[k] + j[0], dy + wy[k] + j[1], scale, rot + wr[k] + 0.7 * j[2])
        if field is not None:
            src = cv2.remap(src, XX + field[0], YY + field[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        gain = wg[k] + (3 * j[3] if mode == "flicker" else 0)
        m = (warp(mask, wx[k] / 2, wy[k] / 2) * ratio)[..., None]
        if mode == "flicker" and rng.random() < 0.12:
            m = m * 0  # the swap drops out for a frame
        out.append(np.clip(clip[k] * (1 - m) + (src + gain) * m, 0, 255).astype(np.uint8))
    return np.stack(out)


def talk(rng, clip):
    """Smooth local warps of mouth, brows and outline over a clip: a still that seems to speak. It changes no label."""
    t = len(clip)
    opening, sway, lift = np.abs(walk(rng, t, rng.uniform(1, 4))), walk(rng, t, rng.uniform(0.5, 3)), walk(rng, t, 1.5)
    shut = (rng.random(t) < 0.12) * rng.uniform(0.3, 0.9)
    face = np.exp(-(((XX - WIDE / 2) / 45) ** 2 + ((YY - 128) / 55) ** 2) ** 2)
    below = np.exp(-((XX - WIDE / 2) / 26) ** 2) * np.exp(-((YY - MOUTH_Y - 12) / 16) ** 2)
    brow = np.exp(-((XX - WIDE / 2) / 40) ** 2) * np.exp(-((YY - EYE_Y) / 9) ** 2)
    out = []
    for k in range(t):
        mx = XX - sway[k] * face
        my = YY - opening[k] * below - lift[k] * face * 0.5 - lift[k] * brow - shut[k] * brow * (EYE_Y - 9 - YY)
        out.append(cv2.remap(clip[k], mx.astype(np.float32), my.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))
    return np.stack(out)


def still_to_clip(rng, img, t):
    """A portrait under smooth motion. Alignment takes most of it away: what stays are small moves and resampling."""
    a = rng.uniform(0, 1.5)
    x, y, r, s = (walk(rng, t, v * a) for v in (1.5, 1.5, 1.2, 0.012))
    light = walk(rng, t, rng.uniform(0, 4))
    return np.stack([np.clip(warp(img, x[k], y[k], 1 + s[k], r[k]).astype(np.float32) + light[k], 0, 255).astype(np.uint8)
                     for k in range(t)])


def h264(clip, crf, codec="libx264"):
    """Encode and decode by the ffmpeg program (one thread, so the bytes are the same on every run)."""
    t, h, w = clip.shape[:3]
    rate = ["-crf", str(crf), "-preset", "veryfast"] if codec == "libx264" else ["-q:v", str(max(2, crf // 4))]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{w}x{h}", "-r", "8"]
    quiet = ["ffmpeg", "-v", "error", "-threads", "1"]
    coded = subprocess.run(quiet + raw + ["-i", "-", "-threads", "1", "-c:v", codec, *rate, "-pix_fmt", "yuv420p", "-f", "matroska", "-"],
                           input=clip.tobytes(), capture_output=True, check=True).stdout
    out = subprocess.run(quiet + ["-i", "-", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                         input=coded, capture_output=True, check=True).stdout
    return np.frombuffer(out, np.uint8).reshape(-1, h, w, 3)[:t]


def chain(rng, clip):
    """What every clip passes, real or fake: light, size, noise, frame edges, one or two codecs."""
    x = clip.astype(np.float32)
    x = x * rng.uniform(0.8, 1.2) * (1 + rng.normal(0, 0.03, 3)) + rng.normal(0, 8)
    x = 255 * (np.clip(x, 0, 255) / 255) ** np.exp(rng.normal(0, 0.15))
    if rng.random() < 0.4:
        x = x + rng.normal(0, rng.uniform(1, 7), x.shape)
    x = np.clip(x, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:  # the frame may end near the face
        e, v = rng.integers(0, 60, 4), int(rng.choice([0, 0, 16, 255]))
        edge = np.full_like(x, v) if v != 16 else x // 4
        keep = (YY >= e[0]) & (YY < WIDE - e[1]) & (XX >= e[2]) & (XX < WIDE - e[3])
        x = np.where(warp(keep.astype(np.uint8), degrees=rng.normal(0, 6), border=cv2.BORDER_CONSTANT)[None, ..., None] > 0, x, edge)
    side = WIDE
    if rng.random() < 0.6:  # the face's size in the file
        side = int(rng.uniform(72, WIDE)) // 2 * 2
        x = np.stack([cv2.resize(f, (side, side), interpolation=cv2.INTER_AREA) for f in x])
    kind = rng.random()
    if kind < 0.2:
        q = rng.integers(45, 97)
        x = np.stack([jpeg(f, q) for f in x])
    if kind > 0.1:
        x = h264(x, int(rng.integers(17, 35)), "libx264" if rng.random() < 0.88 else "mpeg4")
    if side != WIDE:
        up = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
        x = np.stack([cv2.resize(f, (WIDE, WIDE), interpolation=up) for f in x])
    return x


def final_crop(rng, clip, side, margin):
    """Wide -> the network's crop, with the error of a face detector's points (steady and from frame to frame)."""
    s0 = side * WIDE_MARGIN / margin / WIDE
    steady, noise = rng.normal(0, 1, 4), rng.uniform(0.2, 1.0)
    flip, out = rng.random() < 0.5, []
    for f in clip:
        j = steady + rng.normal(0, noise, 4)
        m = cv2.getRotationMatrix2D((WIDE / 2 + 1.5 * j[0], WIDE / 2 + 1.5 * j[1]), 1.5 * j[2], s0 * (1 + 0.025 * j[3]))
        m[:, 2] += side / 2 - WIDE / 2 - 1.5 * j[:2]
        f = cv2.warpAffine(f, m, (side, side), flags=cv2.INTER_LINEAR)
        out.append(f[:, ::-1] if flip else f)
    return np.stack(out)
