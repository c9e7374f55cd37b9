#!/usr/bin/python3
"""Expected prints of made-up pictures, from numpy and SciPy in floating point, for tests/nodes/test_fingerprint.c.

Writes ../data/fingerprints.txt, a line a picture: width height kind hash sure quality brightness black sharpness. hash and
sure are 64 hex digits, bit k of the 256 is bit k % 4 of digit k / 4. sure: bits whose coefficient is so far from the median
that the rounding of pixels to eight bits cannot turn them.
"""
import pathlib

import numpy as np
from scipy.fft import dctn

SIZES = [(640, 360), (1280, 720), (256, 256), (64, 64), (301, 173), (90, 160), (1000, 100)]
KINDS = 4


def picture(width, height, kind):
    """The same integer formulas as in the test."""
    x, y = np.meshgrid(np.arange(width, dtype=np.int64), np.arange(height, dtype=np.int64))
    u, v = x * 1024 // width, y * 1024 // height

    def wave(t):
        t = t % 512
        return np.where(t < 256, t, 511 - t)

    channels = []
    for c in range(3):
        a = wave(u * (kind + 1) + v * (c + 1) + 97 * kind)
        b = wave(v * (2 * kind + 3) - u * (c + 2) + 31 * c + 100000)
        k = wave((u * v >> 7) + 53 * kind)
        channels.append((3 * a + 2 * b + 3 * k) // (8 if kind != 3 else 80))
    return np.stack(channels, axis=-1).astype(np.float64)


def weights(n_in, n_out):
    """Rows that average the source pixels which each output pixel covers, by area."""
    edges = np.arange(n_out + 1) * n_in / n_out
    w = np.zeros((n_out, n_in))
    for o in range(n_out):
        for i in range(int(edges[o]), min(n_in, int(np.ceil(edges[o + 1])))):
            w[o, i] = max(0.0, min(edges[o + 1], i + 1) - max(edges[o], i))
    return w / w.sum(axis=1, keepdims=True)


def shrink(image, width, height):
    rows = np.tensordot(weights(image.shape[0], height), image, axes=(1, 0))
    return np.tensordot(weights(image.shape[1], width), rows, axes=(1, 1)).transpose(1, 0, 2)


def luma(image):
    return image @ np.array([0.299, 0.587, 0.114])


def main():
    lines = []
    for width, height in SIZES:
        for kind in range(KINDS):
            image = picture(width, height, kind)
            longer = max(width, height)
            small = image
            if longer > 256:
                small = shrink(image, max(1, (width * 256 + longer // 2) // longer),
                               max(1, (height * 256 + longer // 2) // longer))
            gray = luma(small)
            laplacian = gray[1:-1, :-2] + gray[1:-1, 2:] + gray[:-2, 1:-1] + gray[2:, 1:-1] - 4 * gray[1:-1, 1:-1]
            if min(small.shape[:2]) < 64:  # one side grows: only what does not depend on that is held
                continue
            thumb = luma(shrink(small, 64, 64))
            coefficients = dctn(thumb, type=2, norm="ortho")[1:17, 1:17].ravel()
            median = np.sort(coefficients)[127]
            bits = coefficients > median
            sure = np.abs(coefficients - median) > 2.0 + 0.01 * np.abs(coefficients)
            gradient = sum(int(abs(d) * 100 / 255) for d in
                           list(np.diff(thumb, axis=0).ravel()) + list(np.diff(thumb, axis=1).ravel()))

            def digits(b):
                return "".join("%x" % sum(int(b[4 * k + j]) << j for j in range(4)) for k in range(64))

            lines.append("%d %d %d %s %s %d %.3f %.3f %.3f\n" % (
                width, height, kind, digits(bits), digits(sure), min(100, gradient // 90), thumb.mean(),
                100 * (thumb < 32).mean(), laplacian.var()))
            print(width, height, kind, "unsure bits:", 256 - sure.sum(), "quality", min(100, gradient // 90))
    path = pathlib.Path(__file__).resolve().parent.parent / "data" / "fingerprints.txt"
    path.write_text("".join(lines))


if __name__ == "__main__":
    main()
