"""Fakes that cost nothing: a face pasted on itself or on another (after Shiohara & Yamasaki, "Detecting Deepfakes with
Self-Blended Images", 2022), or drawn again by an autoencoder (makers.py), steady, drifting or flickering over time.

All work is on wide aligned crops (cut.py), so the face's points are those of the template."""
import cv2
import numpy as np

import makers
from cut import WIDE, WIDE_MARGIN

# ArcFace's 112 x 112 reference points (insightface), the template that nodes/crop.h names, and an outline of a face in its
# coordinates, drawn by hand: brow, temples, jaw.
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
OUTLINE = np.array([[24, 44], [32, 34], [44, 31], [56, 33], [68, 31], [80, 34], [88, 44], [92, 62], [88, 84], [78, 103],
                    [66, 115], [56, 118], [46, 115], [34, 103], [24, 84], [20, 62]])


def wide(points):
    """From the template's coordinates to a wide crop's."""
    return (np.asarray(points, float) * (WIDE / 112) - WIDE / 2) / WIDE_MARGIN + WIDE / 2


POINTS = wide(TEMPLATE)
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
    if region == "face" and rng.random() < 0.5:  # a hull of landmarks
        p = (wide(OUTLINE) - WIDE / 2) * rng.normal(1, 0.05, 2) + WIDE / 2 + rng.normal(0, 2) + rng.normal(0, 2, OUTLINE.shape)
        m = cv2.fillPoly(np.zeros((WIDE, WIDE), np.float32), [p.round().astype(np.int32)], 1.0)
        if rng.random() < 0.5:
            n = int(rng.integers(3, 15))
            m = cv2.erode(m, np.ones((n, n)))
        return cv2.GaussianBlur(m, (0, 0), rng.choice([0.7, 1.5, 3, 5, 8]))
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


def redrawn(rng, clip, makers_):
    """By one of the autoencoders, sharpened or given back some of what it lost, so that blur alone tells nothing."""
    maker, side = makers_[rng.integers(len(makers_))]
    side = int(side * rng.uniform(0.8, 1.25))
    out = makers.redraw(maker, side, clip)
    detail = rng.uniform(0.2, 0.95) if rng.random() < 0.75 else 0
    sharpen = rng.uniform(0.3, 1.5) if rng.random() < 0.4 else 0
    grain = rng.uniform(1, 5) if rng.random() < 0.2 else 0
    for k, f in enumerate(out):
        if detail:
            f = np.clip(f + detail * (clip[k].astype(np.float32) - cv2.GaussianBlur(clip[k], (0, 0), 1.5)), 0, 255).astype(np.uint8)
        if sharpen:
            f = cv2.addWeighted(f, 1 + sharpen, cv2.GaussianBlur(f, (0, 0), 1.2), -sharpen, 0)
        if grain:
            f = np.clip(f + rng.normal(0, grain, f.shape), 0, 255).astype(np.uint8)
        out[k] = f
    return out


def blend(rng, clip, donor=None, makers_=None):
    """clip (T, WIDE, WIDE, 3) -> the clip with another face in it: its own moved and recoloured, donor's (a clip of another
    person), or one that an autoencoder drew (makers_)."""
    t, source = len(clip), clip if donor is None else donor
    region = rng.choice(["face", "mouth", "lower", "eyes"], p=[0.64, 0.18, 0.13, 0.05])
    mode = rng.choice(["steady", "drift", "flicker"], p=[0.45, 0.3, 0.25])
    strength = rng.uniform(0.4, 1.5)
    look = Look(rng, strength)
    if makers_:
        source = redrawn(rng, source, makers_)
        strength *= 0.5  # what the autoencoder leaves is to be found, not the displacement
        if rng.random() < 0.6:
            look = None
        if donor is None and rng.random() < 0.35:  # all of the picture is drawn
            return source if look is None else np.stack([look(f) for f in source])
    mask = mask_shape(rng, region)
    ratio = rng.choice([0.5, 0.75, 1, 1, 1])
    shift = 0 if rng.random() < 0.5 else int(rng.integers(1, t)) if region == "mouth" and t > 1 else 1  # another moment
    still = region == "mouth" and rng.random() < 0.2
    match = donor is not None and rng.random() < 0.8
    dx, dy = rng.normal(0, 2.0 * strength, 2)
    scale, rot = 1 + rng.normal(0, 0.02 * strength), rng.normal(0, 1.5 * strength)
    wx, wy, wr, wg = (walk(rng, t, a) if mode == "drift" else np.zeros(t) for a in (1.5, 1.5, 1.2, 4.0))
    grid = XX, YY
    if rng.random() < 0.4:
        grid = [g + smooth_noise(rng, XX.shape, 6, rng.uniform(0.5, 2.5)) for g in grid]
    out = []
    for k in range(t):
        src = source[0 if still else (k + shift) % len(source)]
        if match:
            src = colour_match(src, clip[k], mask)
        if look is not None:
            src = look(src)
        j = rng.normal(0, 1, 4) * (1.0 if mode == "flicker" else 0.15)
        src = warp(src, dx + wx[k] + j[0], dy + wy[k] + j[1], scale, rot + wr[k] + 0.7 * j[2])
        if grid[0] is not XX:
            src = cv2.remap(src, *grid, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        gain = wg[k] + (3 * j[3] if mode == "flicker" else 0)
        m = (warp(mask, wx[k] / 2, wy[k] / 2) * ratio)[..., None]
        out.append(np.clip(clip[k] * (1 - m) + (src + gain) * m, 0, 255).astype(np.uint8))
    return np.stack(out)


def still_to_clip(rng, img, t):
    """A portrait under smooth motion. Alignment takes most of it away: what stays are small moves and resampling."""
    a = rng.uniform(0, 1.5)
    x, y, r, s = (walk(rng, t, v * a) for v in (1.5, 1.5, 1.2, 0.012))
    light = walk(rng, t, rng.uniform(0, 4))
    return np.stack([np.clip(warp(img, x[k], y[k], 1 + s[k], r[k]).astype(np.float32) + light[k], 0, 255).astype(np.uint8)
                     for k in range(t)])
