"""What every clip passes on its way into training, real or fake alike: light, noise, frame edges, a size, a codec, an error
of alignment. The two of a pair pass with one draw, so nothing here tells the label.

Clips are encoded as tiles of one picture: one run of ffmpeg serves many."""
import subprocess

import cv2
import numpy as np

from blends import XX, YY, jpeg, warp
from cut import WIDE, WIDE_MARGIN
from network import MARGIN, SIDE

ROOM = 16  # pixels that stored crops are larger than the network's, for shifts
STORE = SIDE + ROOM


class Chain:
    def __init__(self, rng):
        gain = rng.uniform(0.8, 1.2) * (1 + rng.normal(0, 0.03, 3))
        light = np.clip(np.arange(256)[:, None] * gain + rng.normal(0, 8), 0, 255) / 255
        self.light = (255 * light ** np.exp(rng.normal(0, 0.15)) + 0.5).astype(np.uint8)[None]
        self.noise = rng.uniform(1, 7) if rng.random() < 0.3 else 0
        self.blur = rng.uniform(0.4, 1.6) if rng.random() < 0.25 else 0
        self.sharpen = rng.uniform(0.2, 1.0) if rng.random() < 0.15 else 0
        self.quality = rng.integers(45, 97) if rng.random() < 0.2 else 0
        self.side = int(rng.uniform(80, WIDE)) // 2 * 2 if rng.random() < 0.6 else WIDE
        self.down = int(rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC], p=[0.7, 0.2, 0.1]))
        self.up = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
        self.keep = None
        if rng.random() < 0.2:  # the frame ends near the face
            e = rng.integers(0, 55, 4)
            keep = (YY >= e[0]) & (YY < WIDE - e[1]) & (XX >= e[2]) & (XX < WIDE - e[3])
            self.keep = warp(keep.astype(np.uint8), degrees=rng.normal(0, 6), border=cv2.BORDER_CONSTANT)[..., None]
        self.steady, self.shake, self.flip = rng.normal(0, 1, 4), rng.uniform(0.1, 0.7), rng.random() < 0.5
        self.seed = int(rng.integers(1 << 31))

    def before(self, clip):
        """(T, WIDE, WIDE, 3) -> (T, side, side, 3), as the file's encoder gets it."""
        rng, out = np.random.default_rng(self.seed), []
        for f in clip:
            x = cv2.LUT(f, self.light)
            if self.noise:
                x = np.clip(x + self.noise * rng.standard_normal(x.shape, np.float32), 0, 255).astype(np.uint8)
            if self.blur:
                x = cv2.GaussianBlur(x, (0, 0), self.blur)
            if self.sharpen:
                x = cv2.addWeighted(x, 1 + self.sharpen, cv2.GaussianBlur(x, (0, 0), 1.2), -self.sharpen, 0)
            if self.keep is not None:
                x = x * self.keep
            if self.side != WIDE:
                x = cv2.resize(x, (self.side, self.side), interpolation=self.down)
            out.append(jpeg(x, self.quality) if self.quality else x)
        return out

    def after(self, frames):
        """What the decoder gave -> (T, STORE, STORE, 3), as a face detector's points would cut it."""
        rng, out = np.random.default_rng(self.seed + 1), []
        s0 = SIDE * WIDE_MARGIN / MARGIN / WIDE
        for f in frames:
            if self.side != WIDE:
                f = cv2.resize(f, (WIDE, WIDE), interpolation=self.up)
            j = self.steady + rng.normal(0, self.shake, 4)
            m = cv2.getRotationMatrix2D((WIDE / 2 + 1.5 * j[0], WIDE / 2 + 1.5 * j[1]), 1.5 * j[2], s0 * (1 + 0.025 * j[3]))
            m[:, 2] += STORE / 2 - WIDE / 2 - 1.5 * j[:2]
            f = cv2.warpAffine(f, m, (STORE, STORE), flags=cv2.INTER_LINEAR)
            out.append(f[:, ::-1] if self.flip else f)
        return np.stack(out)


def codec(rng):
    """ffmpeg's options of one encoder; [] leaves the frames as they are."""
    r = rng.random()
    if r < 0.12:
        return []
    if r < 0.72:
        return ["-c:v", "libx264", "-preset", "superfast", "-crf", str(int(rng.integers(17, 37)))]
    if r < 0.80:
        return ["-c:v", "libx265", "-preset", "ultrafast", "-crf", str(int(rng.integers(19, 37))),
                "-x265-params", "log-level=error:pools=none:frame-threads=1"]
    if r < 0.94:
        return ["-c:v", "mpeg4", "-q:v", str(int(rng.integers(2, 9)))]
    return ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "7", "-b:v", "0", "-crf", str(int(rng.integers(18, 45)))]


def encode(clip, options):
    """(T, H, W, 3) uint8 -> the same, coded and decoded by the ffmpeg program; one thread, so the bytes repeat."""
    if not options:
        return clip
    t, h, w = clip.shape[:3]
    quiet = ["ffmpeg", "-v", "error", "-threads", "1"]
    coded = subprocess.run(quiet + ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{w}x{h}", "-r", "12", "-i", "-", "-threads", "1",
                                    *options, "-pix_fmt", "yuv420p", "-f", "matroska", "-"],
                           input=clip.tobytes(), capture_output=True, check=True).stdout
    out = subprocess.run(quiet + ["-i", "-", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], input=coded, capture_output=True,
                         check=True).stdout
    out = np.frombuffer(out, np.uint8).reshape(-1, h, w, 3)
    if len(out) != t:
        raise RuntimeError(f"{options[1]}: {len(out)} frames of {t} came back")
    return out


def through(rng, pairs):
    """pairs: a list of (real, fake), (T, WIDE, WIDE, 3) each -> (pairs, 2, T, STORE, STORE, 3); one codec for all."""
    chains = [Chain(rng) for _ in pairs]
    tiles = [c.before(x) for c, pair in zip(chains, pairs) for x in pair]
    t, across = len(tiles[0]), int(np.ceil(np.sqrt(len(tiles))))
    down = -(-len(tiles) // across)
    sheet = np.zeros((t, down * WIDE, across * WIDE, 3), np.uint8)
    places = [(slice(k // across * WIDE, k // across * WIDE + len(x[0])), slice(k % across * WIDE, k % across * WIDE + len(x[0])))
              for k, x in enumerate(tiles)]
    for x, at in zip(tiles, places):
        for i, f in enumerate(x):
            sheet[i][at] = f
    sheet = encode(sheet, codec(rng))
    out = [chains[k // 2].after([f[at] for f in sheet]) for k, at in enumerate(places)]
    return np.stack(out).reshape(len(pairs), 2, t, STORE, STORE, 3)
