#!/usr/bin/env python3
"""Makes the demonstration's corpus: 24 short labelled clips of talking heads and five odd files.

In:  four photographs of the npm package @vladmandic/face-api (MIT; its demo/sample3.jpg to sample6.jpg).
Out: CORPUS/real/*, CORPUS/fake/FAMILY/* (layout "dir"), written complete or not at all.

Nobody here ever spoke: the motion is rendered. A clip is one face of a photograph that turns, nods, blinks and talks
by smooth warps, before a background that moves less and is out of focus, under drifting light, with sensor noise.
A fake starts from the very frames of the real clip beside it and is made as blends for training are made (Li and
Lyu 2018, "Exposing DeepFake Videos By Detecting Face Warping Artifacts"; Shiohara and Yamasaki 2022, "Detecting
Deepfakes with Self-Blended Images"):
  faceswap  the face again, slightly warped, of lower resolution and other colour, behind a soft elliptical mask;
            in every second clip these differ a little from frame to frame, as in swaps made frame by frame
  lipsync   the mouth alone, taken from another moment of the clip
Both of a pair have the same size, rate, codec and quality, so a container says nothing about the label.
This is a demonstration and a test of the machinery, not a benchmark: a score on it says nothing of real deepfakes.
"""
import argparse
import hashlib
import math
import multiprocessing
import os
import shutil
import subprocess
import sys

import numpy as np
from PIL import Image, ImageFilter

PHOTOS = {
    "sample3.jpg": "8eb081c9efb14370fa94d9feab9e5fbeafd19a627491853a80c2bf67f7ffa936",
    "sample4.jpg": "729efa5923061d40eb4ed5f267a18cc7b8ba6f852bb2757b16d8b7e4937476fc",
    "sample5.jpg": "6d45095ebb182d8f975c0790e0e4eefd86fbb40609cf4b271776d92e12662938",
    "sample6.jpg": "9baad80f9d5e306fb9b8c0913d44445f1e95848df317530efb03d0934c57ba87",
}

# One face: photograph; box x, y, width, height; then the eyes, the nose's tip and the mouth's corners, each x, y, in
# pixels of the photograph (measured once with the YuNet detector).
FACES = [
    ("sample3.jpg", (589, 330, 201, 266), (632, 434, 728, 430, 673, 487, 644, 529, 728, 526)),
    ("sample3.jpg", (1066, 201, 237, 315), (1106, 321, 1213, 336, 1130, 392, 1100, 431, 1190, 446)),
    ("sample3.jpg", (1487, 306, 198, 282), (1563, 412, 1658, 422, 1617, 475, 1563, 515, 1642, 522)),
    ("sample4.jpg", (985, 185, 177, 238), (1013, 280, 1076, 279, 1025, 326, 1026, 365, 1082, 362)),
    ("sample4.jpg", (660, 71, 184, 227), (697, 146, 774, 156, 713, 198, 695, 231, 759, 237)),
    ("sample4.jpg", (1259, 148, 175, 239), (1302, 235, 1383, 239, 1329, 283, 1295, 316, 1361, 323)),
    ("sample5.jpg", (361, 874, 206, 301), (424, 989, 517, 981, 484, 1035, 441, 1090, 523, 1082)),
    ("sample5.jpg", (792, 116, 160, 217), (848, 199, 921, 201, 892, 242, 849, 274, 910, 275)),
    ("sample6.jpg", (675, 340, 184, 289), (705, 460, 788, 451, 736, 516, 724, 561, 800, 552)),
    ("sample6.jpg", (1478, 267, 220, 296), (1527, 385, 1633, 393, 1563, 451, 1529, 489, 1614, 496)),
    ("sample6.jpg", (253, 502, 215, 257), (327, 603, 428, 602, 391, 659, 335, 698, 421, 697)),
    ("sample6.jpg", (1163, 313, 211, 277), (1237, 428, 1331, 435, 1287, 493, 1237, 522, 1314, 527)),
]

# The photographs' other faces; these and a clip's neighbours are put out of focus until no detector sees a face.
OTHERS = {
    "sample4.jpg": [(252, 195, 171, 257)],
    "sample5.jpg": [(1408, 395, 200, 278), (1112, 207, 168, 227), (599, 432, 166, 243)],
}

X264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
X265 = ["-c:v", "libx265", "-preset", "superfast", "-x265-params", "log-level=error:pools=none:frame-threads=1"]
VP9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "7", "-pix_fmt", "yuv420p", "-b:v", "0"]
MPEG4 = ["-c:v", "mpeg4", "-pix_fmt", "yuv420p"]

# One pair a face: width, height, frames a second, frames, extension, encoder, family of the fake, rotation (degrees).
PAIRS = [
    (640, 480, 25, 60, "mp4", X264 + ["-crf", "17"], "faceswap", 0),
    (640, 360, 25, 60, "mkv", X265 + ["-crf", "19", "-pix_fmt", "yuv420p"], "lipsync", 0),
    (480, 480, 30, 66, "webm", VP9 + ["-crf", "20"], "faceswap", 0),
    (480, 360, 25, 60, "avi", MPEG4 + ["-q:v", "3"], "faceswap", 0),
    (360, 640, 30, 66, "mp4", X264 + ["-crf", "18"], "faceswap", 90),
    (640, 480, 24, 54, "mp4", X265 + ["-crf", "18", "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1"], "lipsync", 0),
    (640, 480, 25, 60, "mp4", X264 + ["-crf", "21"], "faceswap", 0),
    (480, 360, 15, 45, "mkv", X264 + ["-crf", "19"], "lipsync", 0),
    (640, 360, 25, 60, "webm", VP9 + ["-crf", "24"], "lipsync", 0),
    (854, 480, 25, 60, "mp4", X264 + ["-crf", "18"], "faceswap", 0),
    (480, 480, 25, 60, "avi", MPEG4 + ["-q:v", "4"], "faceswap", 0),
    (640, 480, 30, 75, "mp4", X264 + ["-crf", "20"], "faceswap", 0),
]

BAND = 16  # rows
FACE_SHARE = 0.44  # of a frame's shorter side: the face's height


def gauss(x, y, cx, cy, sx, sy):
    return np.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2)).astype(np.float32)


def remap(src, x, y):
    """Bilinear samples of src (H, W, 4 floats) at x, y (float32, equal shapes); the border repeats."""
    h, w = src.shape[:2]
    flat = src.reshape(-1, src.shape[2])
    out = np.empty(x.shape + (src.shape[2],), np.float32)
    for row in range(0, x.shape[0], BAND):  # in bands, so that the temporaries stay in the cache
        band = slice(row, row + BAND)
        bx = np.minimum(np.maximum(x[band], 0), np.float32(w - 1.001))
        by = np.minimum(np.maximum(y[band], 0), np.float32(h - 1.001))
        x0 = bx.astype(np.int32)
        y0 = by.astype(np.int32)
        fx = (bx - x0)[..., None]
        fy = (by - y0)[..., None]
        at = y0 * w + x0
        top = flat[at]
        top += fx * (flat[at + 1] - top)
        at += w
        low = flat[at]
        low += fx * (flat[at + 1] - low)
        low -= top
        low *= fy
        top += low
        out[band] = top
    return out


def wave(rng, n, fps, period_s, amplitude):
    """A smooth path of n values around 0: three sines of unrelated periods."""
    t = np.arange(n) / fps
    out = np.zeros(n)
    for k, share in enumerate((0.6, 0.3, 0.1)):
        period = period_s * (0.8 + 0.4 * rng.random()) / (1.0 + 0.83 * k)
        out += share * np.sin(2 * math.pi * (t / period + rng.random()))
    return amplitude * out


def blinks(rng, n, fps):
    """0 open .. 1 shut: a blink of about 0.2 s, one or two in a clip."""
    out = np.zeros(n)
    t = np.arange(n) / fps
    for _ in range(1 + int(rng.integers(2))):
        at = 0.3 + rng.random() * (n / fps - 0.6)
        out = np.maximum(out, np.exp(-((t - at) / 0.07) ** 2))
    return out


def affine(angle, scale, pivot, shift):
    """2 x 3, output pixel -> source pixel: turns and scales about pivot, then shifts."""
    c, s = math.cos(angle) / scale, math.sin(angle) / scale
    px, py = pivot
    return np.array([[c, s, px - c * (px + shift[0]) - s * (py + shift[1])],
                     [-s, c, py + s * (px + shift[0]) - c * (py + shift[1])]])


class Scene:
    """One face of a photograph, framed for a video of width x height; render(k) is frame k, float RGB 0..255."""

    def __init__(self, face, photos, width, height, fps, n_frames, seed):
        name, box, marks = face
        self.size = (width, height)
        rng = np.random.default_rng(seed)
        self.rng = np.random.default_rng(seed + 1)
        photo = Image.open(os.path.join(photos, name)).convert("RGB")
        bx, by, bw, bh = box
        zoom = FACE_SHARE * min(width, height) / bh * (0.92 + 0.16 * rng.random())  # photograph -> frame
        cx, cy = bx + bw / 2, by + bh / 2
        # The face stands a little above the middle and off the centre.
        ox = width * (0.5 + 0.08 * (rng.random() - 0.5)) - cx * zoom
        oy = height * (0.46 + 0.04 * (rng.random() - 0.5)) - cy * zoom
        inverse = (1 / zoom, 0, -ox / zoom, 0, 1 / zoom, -oy / zoom)
        # Shrinking by an affine transform alone would alias, so the photograph is shrunk to the frame's scale first.
        small = photo.resize((round(photo.width * zoom), round(photo.height * zoom)), Image.LANCZOS)
        inverse = (1, 0, -ox, 0, 1, -oy)
        base = np.asarray(extend(small, inverse, width, height), np.float32)
        self.box = np.array([bx * zoom + ox, by * zoom + oy, bw * zoom, bh * zoom])
        self.marks = np.array(marks, float).reshape(5, 2) * zoom + (ox, oy)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        self.x, self.y = x, y
        fx, fy = self.box[0] + self.box[2] / 2, self.box[1] + self.box[3] / 2
        fw, fh = self.box[2], self.box[3]
        self.fw, self.fh, self.centre = fw, fh, (fx, fy)

        # Out of focus away from the person: neighbours in the photograph stop being faces.
        head = np.clip(1.6 - np.hypot((x - fx) / (1.02 * fw), (y - fy + 0.05 * fh) / (0.92 * fh)), 0, 1)
        torso = np.clip(1.5 - np.hypot((x - fx) / (1.25 * fw), (y - fy - 1.6 * fh) / (1.15 * fh)), 0, 1)
        sharp = np.clip(1.8 * np.maximum(head, 0.8 * torso), 0, 1)
        picture = Image.fromarray(base.astype(np.uint8))
        far = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.19 * fw)), np.float32)
        farther = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.4 * fw)), np.float32)
        for ax, ay, aw, ah in OTHERS.get(name, []) + [f[1] for f in FACES if f[0] == name and f is not face]:
            ax, ay, aw, ah = ax * zoom + ox, ay * zoom + oy, aw * zoom, ah * zoom
            away = np.hypot((x - ax - aw / 2) / (0.75 * aw), (y - ay - ah / 2) / (0.7 * ah))
            sharp *= np.clip(2.5 * away - 2.2, 0, 1)
            near = np.clip(2.2 - 1.5 * away, 0, 1)[..., None]
            far = near * farther + (1 - near) * far
        own = np.hypot((x - fx) / (0.62 * fw), (y - fy) / (0.62 * fh))
        sharp = np.maximum(sharp, np.clip(3 * (1.2 - own), 0, 1))
        sharp = np.asarray(Image.fromarray((255 * sharp).astype(np.uint8)).filter(
            ImageFilter.GaussianBlur(0.07 * fw)), np.float32)[..., None] / 255
        base = sharp * base + (1 - sharp) * far
        self.base = np.dstack([base, np.zeros((height, width), np.float32)])
        # How far a point follows the head: all of the face, none of the background, the torso in between.
        follow = np.clip(1.9 - np.hypot((x - fx) / (0.95 * fw), (y - fy) / (0.9 * fh)), 0, 1)
        follow = np.maximum(follow, 0.35 * np.clip(torso * 1.5, 0, 1))
        self.follow = (follow * follow * (3 - 2 * follow)).astype(np.float32)

        # Paths, in units of the face.
        self.bg = np.stack([wave(rng, n_frames, fps, 4.0, 0.03 * fw), wave(rng, n_frames, fps, 5.0, 0.02 * fw)], 1)
        self.shift = np.stack([wave(rng, n_frames, fps, 2.6, 0.09 * fw), wave(rng, n_frames, fps, 2.1, 0.05 * fh)], 1)
        self.angle = wave(rng, n_frames, fps, 2.9, math.radians(5.0))
        self.scale = 1 + wave(rng, n_frames, fps, 3.7, 0.02)
        self.yaw = wave(rng, n_frames, fps, 2.4, 0.09 * fw)
        self.pitch = wave(rng, n_frames, fps, 1.9, 0.05 * fh)
        syllables = np.abs(wave(rng, n_frames, fps, 0.55, 1.0))
        phrases = np.clip(0.6 + wave(rng, n_frames, fps, 1.7, 1.0), 0, 1)
        self.mouth = np.clip(1.3 * syllables * phrases, 0, 1)
        self.blink = blinks(rng, n_frames, fps)
        self.light = 1 + wave(rng, n_frames, fps, 3.1, 0.05)
        self.warmth = wave(rng, n_frames, fps, 4.3, 0.02)
        self.noise_level = 1.5 + 2.0 * rng.random()
        self.noise = rng.standard_normal((height + 64, width + 64, 3), dtype=np.float32)

        # The face's own part of the picture, where it deforms.
        x0, y0 = max(0, int(fx - 0.9 * fw)), max(0, int(fy - 0.85 * fh))
        x1, y1 = min(width, int(fx + 0.9 * fw)), min(height, int(fy + 0.95 * fh))
        self.roi = (slice(y0, y1), slice(x0, x1))
        rx, ry = x[self.roi], y[self.roi]
        le, re, _, lm, rm = self.marks
        mx, my = (lm + rm) / 2
        tilt = math.atan2(rm[1] - lm[1], rm[0] - lm[0])
        along = (rx - mx) * math.cos(tilt) + (ry - my) * math.sin(tilt)
        below = -(rx - mx) * math.sin(tilt) + (ry - my) * math.cos(tilt)
        mw = np.hypot(*(rm - lm))
        # A head's depth: half an ellipsoid; turning moves near points more than far ones.
        self.depth = np.clip(1 - ((rx - fx) / (0.85 * fw)) ** 2 - ((ry - fy) / (0.8 * fh)) ** 2, 0, 1) ** 1.5
        # The jaw: below the mouth's line all the way to the chin, and not at the ears.
        step = 1 / (1 + np.exp(-below / (0.03 * fh)))
        self.jaw = (step * np.exp(-0.5 * (along / (0.30 * fw)) ** 2)
                    * np.exp(-0.5 * np.clip(below / (0.30 * fh), 0, None) ** 2)).astype(np.float32)
        self.gap = gauss(along, below, 0, 0.03 * fh, 0.36 * mw, 0.02 * fh)
        self.lids = []
        for ex, ey in (le, re):
            self.lids.append((ey, gauss(rx, ry, ex, ey, 0.10 * fw, 0.05 * fh)))

    def face_of(self, k):
        """The rest picture with frame k's expression."""
        rx, ry = self.x[self.roi], self.y[self.roi]
        sx = rx - self.yaw[k] * self.depth
        sy = ry - self.pitch[k] * self.depth - 0.07 * self.fh * self.mouth[k] * self.jaw
        for ey, lobe in self.lids:
            # Shut: the skin above the eye comes down over it.
            sy = sy - 0.075 * self.fh * self.blink[k] * lobe * (0.6 + 0.4 * np.sign(ry - ey))
        out = self.base.copy()
        part = remap(self.base, sx, sy)
        part *= (1 - 0.35 * self.mouth[k] * self.gap)[..., None]
        out[self.roi] = part
        return out

    def render(self, k):
        face = self.face_of(k)
        pivot = (self.centre[0], self.centre[1] + 0.75 * self.fh)
        head = affine(self.angle[k], self.scale[k], pivot, self.shift[k] + self.bg[k])
        back = affine(0.15 * self.angle[k], 1 + 0.3 * (self.scale[k] - 1), pivot, self.bg[k])
        m = self.follow
        d = head - back
        sx = back[0, 0] * self.x + back[0, 1] * self.y + back[0, 2] + m * (
            d[0, 0] * self.x + d[0, 1] * self.y + d[0, 2])
        sy = back[1, 0] * self.x + back[1, 1] * self.y + back[1, 2] + m * (
            d[1, 0] * self.x + d[1, 1] * self.y + d[1, 2])
        out = remap(face, sx.astype(np.float32), sy.astype(np.float32))[..., :3]
        out *= np.array([1 + self.warmth[k], 1, 1 - self.warmth[k]], np.float32) * self.light[k]
        oy, ox = self.rng.integers(0, 64, 2)
        h, w = out.shape[:2]
        out += self.noise_level * self.noise[oy:oy + h, ox:ox + w]
        # Where the face's marks are in this frame: the head's map, backwards.
        forward = np.linalg.inv(np.vstack([head, [0, 0, 1]]))
        marks = np.hstack([self.marks, np.ones((5, 1))]) @ forward[:2].T
        return np.clip(out, 0, 255), marks


def extend(picture, inverse, width, height):
    """The part of picture that the frame shows; what lies outside the photograph repeats its border."""
    w, h = picture.size
    left, top = -inverse[2], -inverse[5]
    pad = (max(0, math.ceil(left)), max(0, math.ceil(top)), max(0, math.ceil(width - left - w)),
           max(0, math.ceil(height - top - h)))
    data = np.pad(np.asarray(picture), ((pad[1], pad[3]), (pad[0], pad[2]), (0, 0)), mode="edge")
    offset = (1, 0, -left + pad[0], 0, 1, -top + pad[1])
    return Image.fromarray(data).transform((width, height), Image.AFFINE, offset, Image.BICUBIC)


class Forger:
    """Frames of a real clip -> frames of its fake. One forger a clip: what it gets wrong, it gets wrong alike."""

    def __init__(self, family, flickers, fw, fh, seed):
        rng = np.random.default_rng(seed)
        self.family, self.flickers, self.fw, self.fh = family, flickers, fw, fh
        self.rng = rng
        self.grow = 1 + rng.choice([-1, 1]) * rng.uniform(0.03, 0.06)
        self.turn = rng.choice([-1, 1]) * rng.uniform(1.5, 4.0)
        self.shift = rng.uniform(-0.02, 0.02, 2) * fw
        self.side_px = int(rng.integers(44, 73))  # the generator's resolution, as if the face were made at that size
        self.gain = 1 + rng.uniform(-0.07, 0.07, 3)
        self.offset = rng.uniform(-5, 5, 3)
        self.soft = rng.uniform(0.03, 0.07) * fw
        self.past = []

    def forge(self, frame, marks):
        """frame: float RGB; marks: the five points. Returns a new frame."""
        le, re, _, lm, rm = marks
        eyes, lips = (le + re) / 2, (lm + rm) / 2
        angle = math.atan2(re[1] - le[1], re[0] - le[0])
        if self.family == "lipsync":
            centre = lips + 0.15 * (lips - eyes)
            radii = (0.27 * self.fw, 0.17 * self.fh)
        else:
            centre = 0.45 * eyes + 0.55 * lips
            radii = (0.43 * self.fw, 0.40 * self.fh)
        half = int(1.5 * max(radii))
        x0, y0 = int(round(centre[0])) - half, int(round(centre[1])) - half
        source, sx0, sy0 = frame, x0, y0
        if self.family == "lipsync":
            # Another moment's mouth, placed where the mouth is now.
            self.past.append((frame, centre))
            source, old = self.past[max(0, len(self.past) - 6)]
            sx0, sy0 = x0 + int(round(old[0] - centre[0])), y0 + int(round(old[1] - centre[1]))
        picture = Image.fromarray(source.astype(np.uint8)).crop((sx0, sy0, sx0 + 2 * half, sy0 + 2 * half))
        grow, turn, shift, gain = self.grow, self.turn, self.shift, self.gain
        soft, side = self.soft, self.side_px
        if self.family == "lipsync":
            turn, side = 0.4 * turn, max(24, int(0.6 * side))
        if self.flickers:
            turn = turn + self.rng.normal(0, 0.8)
            shift = shift + self.rng.normal(0, 0.008, 2) * self.fw
            gain = gain + self.rng.normal(0, 0.02)
        a = affine(math.radians(turn), grow, (half, half), shift)
        swapped = picture.transform(picture.size, Image.AFFINE, tuple(a.ravel()), Image.BICUBIC)
        swapped = swapped.resize((side, side), Image.BOX).resize(picture.size, Image.BICUBIC)
        swapped = np.asarray(swapped, np.float32) * gain + self.offset

        y, x = np.mgrid[0:2 * half, 0:2 * half].astype(np.float32)
        u = (x + x0 - centre[0]) * math.cos(angle) + (y + y0 - centre[1]) * math.sin(angle)
        v = -(x + x0 - centre[0]) * math.sin(angle) + (y + y0 - centre[1]) * math.cos(angle)
        distance = (np.hypot(u / radii[0], v / radii[1]) - 1) * min(radii)  # pixels, about, from the mask's edge
        mask = 1 / (1 + np.exp(np.clip(distance / (0.5 * soft), -30, 30)))

        out = frame.copy()
        h, w = out.shape[:2]
        ya, yb, xa, xb = max(0, y0), min(h, y0 + 2 * half), max(0, x0), min(w, x0 + 2 * half)
        inner = (slice(ya - y0, yb - y0), slice(xa - x0, xb - x0))
        part = out[ya:yb, xa:xb]
        part += mask[inner][..., None] * (swapped[inner] - part)
        return np.clip(out, 0, 255)


class Encoder:
    """Frames -> a video file, through the ffmpeg program; the same bytes each time (one thread, no time stamps of now)."""

    def __init__(self, path, width, height, fps, options, rotation):
        self.path, self.turned = path, None
        target = path
        if rotation:
            # Stored lying on its side with a display matrix, as telephones do; ffmpeg 5 writes one only on a copy.
            self.turned = (path + ".stored." + path.rsplit(".", 1)[1], rotation)
            target = self.turned[0]
            width, height = height, width
        self.rotation = rotation
        command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s",
                   "%dx%d" % (width, height), "-r", str(fps), "-i", "-", "-an", "-threads", "1"] + options
        if path.endswith(".mp4"):
            command += ["-movflags", "+faststart"]
        command += ["-flags:v", "+bitexact", "-fflags", "+bitexact", "-map_metadata", "-1", target]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE)

    def write(self, frame):
        if self.rotation:
            frame = np.rot90(frame, -self.rotation // 90)
        self.process.stdin.write(np.ascontiguousarray((frame + 0.5).astype(np.uint8)).tobytes())

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise SystemExit("make_corpus: ffmpeg could not write %s" % self.path)
        if self.turned:
            stored, rotation = self.turned
            subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", stored, "-c", "copy", "-metadata:s:v:0",
                            "rotate=%d" % rotation, "-movflags", "+faststart", "-fflags", "+bitexact", self.path],
                           check=True)
            os.remove(stored)


def make_pair(job):
    index, photos, out, seed = job
    width, height, fps, n_frames, extension, options, family, rotation = PAIRS[index]
    scene = Scene(FACES[index], photos, width, height, fps, n_frames, seed + 100 * index)
    forger = Forger(family, index % 2 == 1, scene.fw, scene.fh, seed + 100 * index + 50)
    name = "person%02d.%s" % (index + 1, extension)
    real = Encoder(os.path.join(out, "real", name), width, height, fps, options, rotation)
    fake = Encoder(os.path.join(out, "fake", family, name), width, height, fps, options, rotation)
    for k in range(n_frames):
        frame, marks = scene.render(k)
        real.write(frame)
        fake.write(forger.forge(frame, marks))
    real.close()
    fake.close()
    return name


def make_odd_files(photos, out, seed):
    """What a real corpus holds besides good clips. Each must end with an outcome of its own, none with a crash."""
    whole = os.path.join(out, "real", "person01.mp4")
    with open(whole, "rb") as f:
        data = f.read()
    with open(os.path.join(out, "real", "odd_cut_off.mp4"), "wb") as f:
        f.write(data[:len(data) * 55 // 100])
    with open(os.path.join(out, "real", "odd_text.mp4"), "w", encoding="ascii") as f:
        f.write("This file is named like a video. It is not one.\n" * 40)
    scene = Scene(FACES[1], photos, 480, 360, 25, 3, seed + 7000)
    short = Encoder(os.path.join(out, "fake", "faceswap", "odd_two_frames.mp4"), 480, 360, 25, X264, 0)
    for k in range(2):
        short.write(scene.render(k)[0])
    short.close()
    for source, path, options in (
            ("testsrc2=size=640x360:rate=25:duration=3", "real/odd_test_card.mp4", X264),
            ("mandelbrot=size=480x360:rate=25:maxiter=500,trim=duration=3", "fake/faceswap/odd_no_face.webm", VP9)):
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", source, "-threads", "1",
                        *options, "-flags:v", "+bitexact", "-fflags", "+bitexact", os.path.join(out, path)], check=True)


def check_photos(folder):
    for name, want in PHOTOS.items():
        try:
            with open(os.path.join(folder, name), "rb") as f:
                have = hashlib.sha256(f.read()).hexdigest()
        except OSError as e:
            raise SystemExit("make_corpus: %s: %s" % (os.path.join(folder, name), e.strerror)) from None
        if have != want:
            raise SystemExit("make_corpus: %s: sha256 is %s, must be %s" % (os.path.join(folder, name), have, want))


def main():
    parser = argparse.ArgumentParser(description="Makes the demonstration's corpus of real and blended talking heads.")
    parser.add_argument("--photos", required=True, help="folder with sample3.jpg to sample6.jpg of @vladmandic/face-api")
    parser.add_argument("-o", "--output", required=True, help="the corpus folder; must not exist")
    parser.add_argument("--seed", type=int, default=20260, help="default %(default)s")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes; default %(default)s")
    args = parser.parse_args()
    check_photos(args.photos)
    if os.path.exists(args.output):
        raise SystemExit("make_corpus: %s exists already" % args.output)
    part = args.output + ".part"
    shutil.rmtree(part, ignore_errors=True)
    for folder in ["real"] + sorted({"fake/" + pair[6] for pair in PAIRS}):
        os.makedirs(os.path.join(part, folder))
    work = [(i, args.photos, part, args.seed) for i in range(len(PAIRS))]
    with multiprocessing.Pool(args.jobs) as pool:
        for name in pool.imap_unordered(make_pair, work):
            if sys.stdout.isatty():
                print("made", name)
    make_odd_files(args.photos, part, args.seed)
    os.rename(part, args.output)
    print("made %s: %d clips in pairs of real and fake, 5 odd files" % (args.output, 2 * len(PAIRS)))


if __name__ == "__main__":
    main()
