#!/usr/bin/python3
"""The crop.reach of a mouth that was cut from a mean face of 68 landmarks, as LipForensics and its kin do.

    mouth_reach.py 20words_mean_face.npy [--side 88]

The mean face is the 68 x 2 array of preprocessing/ in ahaliassos/LipForensics. Prints `side` pixels of it in distances between the eyes
(each the middle of its two corners, landmarks 36 and 39, 42 and 45): the value for crop.reach_x and crop.reach_y.
"""
import argparse

import numpy as np

from onnx_build import ConversionError, run


def reach(face, side):
    face = np.asarray(face, np.float64)
    if face.shape != (68, 2):
        raise ConversionError(f"68 x 2 values are wanted, not {' x '.join(map(str, face.shape))}")
    apart = np.linalg.norm((face[36] + face[39]) / 2 - (face[42] + face[45]) / 2)
    if not apart > 0:
        raise ConversionError("the eyes are at one place")
    return side / apart


def main():
    p = argparse.ArgumentParser(description="crop.reach of a mouth cut from a mean face.")
    p.add_argument("mean_face", help="a .npy of 68 x 2")
    p.add_argument("--side", type=float, default=88, help="of the network's picture, in pixels of the mean face")
    a = p.parse_args()
    print(f"{reach(np.load(a.mean_face, allow_pickle=False), a.side):.4f}")


if __name__ == "__main__":
    run(main)
