#!/usr/bin/env python3
"""Writes tests/data/crop_similarity.txt: five points, a crop's size and margin, and the 2 x 3 matrix from the crop to the
frame, by Umeyama's method (1991, with the singular value decomposition) in numpy. Run: make_crop_golden.py > FILE"""
import numpy as np

TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
                     [70.7299, 92.2041]])


def umeyama(src, dst):
    mean_s, mean_d = src.mean(0), dst.mean(0)
    s, d = src - mean_s, dst - mean_d
    u, sigma, vt = np.linalg.svd(d.T @ s / len(src))
    sign = np.ones(2)
    if np.linalg.det(u) * np.linalg.det(vt) < 0:
        sign[1] = -1
    rotation = u @ np.diag(sign) @ vt
    scale = (sigma * sign).sum() / s.var(0).sum()
    m = np.eye(3)
    m[:2, :2] = scale * rotation
    m[:2, 2] = mean_d - scale * rotation @ mean_s
    return m


def main():
    rng = np.random.default_rng(7)
    print("# width height margin | x y of five points | m[0..5] from crop to frame (make_crop_golden.py)")
    for case in range(24):
        width, height = [(112, 112), (224, 224), (256, 192), (96, 160)][case % 4]
        margin = [1.0, 1.3, 0.8][case % 3]
        angle, size = rng.uniform(-3.1, 3.1), rng.uniform(0.2, 9)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        points = (TEMPLATE * size) @ turn.T + rng.uniform(-300, 1500, 2) + rng.normal(0, 3 * size, (5, 2))
        if case >= 20:  # mirrored: no similarity without reflection fits well
            points[:, 0] = -points[:, 0]
        points = points.astype(np.float32).astype(np.float64)
        scale = min(width, height) / 112 / margin
        target = np.array([width / 2, height / 2]) + (TEMPLATE - 56) * scale
        m = np.linalg.inv(umeyama(points, target))
        print(width, height, margin, *(repr(v) for v in points.ravel()), *(repr(v) for v in m[:2].ravel()))


main()
