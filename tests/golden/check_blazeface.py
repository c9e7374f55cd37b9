#!/usr/bin/env python3
"""Runs BlazeFace's TensorFlow Lite graphs in numpy, as they stand (NHWC, TensorFlow's padding), and their conversions to
ONNX in fakesift, on the same pictures.

    check_blazeface.py --convert models/convert --run "build/fakesift models run" [--models FOLDER]

FOLDER holds face_detection_short_range.tflite and face_detection_full_range.tflite; without it they are taken from the npm
package that the zoo's index names. The graph is read by the converter's reader; what the operators mean is written anew
here, by their definitions and not by anybody's library. Exit status: 0 within the tolerance, 1 not, 77 where the files
cannot be had."""
import argparse
import os
import shlex
import subprocess
import sys
import tempfile

import numpy as np

PACKAGE = "@mediapipe/face_detection@0.4.1657300184"
TOLERANCE = 1e-4  # of the largest output


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def slide(x, op, kernel):
    """(patches of x under the kernel: N, H, W, kh, kw, C), padded with zeros or, for a maximum, the lowest value."""
    strides = op.options["stride_h"], op.options["stride_w"]
    fill = -np.inf if op.kind == "MAX_POOL_2D" else 0
    pads = []
    for size, k, stride in zip(x.shape[1:3], kernel, strides):
        out = -(-size // stride) if op.options["padding"] == 0 else (size - k) // stride + 1
        total = max((out - 1) * stride + k - size, 0) if op.options["padding"] == 0 else 0
        pads.append((total // 2, total - total // 2))
    x = np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(1, 2))[:, ::strides[0], ::strides[1]]
    return view.transpose(0, 1, 2, 4, 5, 3)


def resize(x, shape, op):
    """Bilinear, each axis by its own weights."""
    for axis in (1, 2):
        n, m = x.shape[axis], shape[axis]
        at = np.arange(m, dtype=np.float64)
        if op.options["align_corners"]:
            at = at * (n - 1) / max(m - 1, 1)
        elif op.options["half_pixel_centers"]:
            at = np.maximum((at + 0.5) * n / m - 0.5, 0)
        else:
            at = at * n / m
        low = np.minimum(np.floor(at).astype(int), n - 1)
        high = np.minimum(low + 1, n - 1)
        share = (at - low).reshape([-1 if i == axis else 1 for i in range(4)])
        x = np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share
    return x


def evaluate(model, picture):
    values = {i: v.astype(np.float64) for i, v in model.constants.items()}
    values[model.inputs[0]] = picture.astype(np.float64)
    for op in model.operations:
        x = values[op.inputs[0]]
        if op.kind == "CONV_2D":
            w = values[op.inputs[1]]
            y = np.tensordot(slide(x, op, w.shape[1:3]), w, ([3, 4, 5], [1, 2, 3])) + values[op.inputs[2]]
        elif op.kind == "DEPTHWISE_CONV_2D":
            w = values[op.inputs[1]][0]
            y = (slide(x, op, w.shape[:2]) * w).sum((3, 4)) + values[op.inputs[2]]
        elif op.kind == "MAX_POOL_2D":
            y = slide(x, op, (op.options["height"], op.options["width"])).max((3, 4))
        elif op.kind == "ADD":
            y = x + values[op.inputs[1]]
        elif op.kind == "RELU":
            y = np.maximum(x, 0)
        elif op.kind == "PAD":
            y = np.pad(x, model.constants[op.inputs[1]])
        elif op.kind == "RESHAPE":
            y = x.reshape(model.shapes[op.outputs[0]])
        elif op.kind == "RESIZE_BILINEAR":
            y = resize(x, model.shapes[op.outputs[0]], op)
        else:
            assert op.kind == "CONCATENATION"
            y = np.concatenate([values[i] for i in op.inputs], op.options["axis"])
        if op.options.get("activation"):
            y = np.maximum(y, 0)
        assert list(y.shape) == model.shapes[op.outputs[0]], (op.kind, y.shape)
        values[op.outputs[0]] = y
    return {model.shapes[i][-1]: values[i] for i in model.outputs}


def get_models(folder):
    try:
        subprocess.run(["npm", "pack", "--ignore-scripts", "--fetch-retries=0", PACKAGE], cwd=folder, check=True, timeout=90,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        archive = next(n for n in os.listdir(folder) if n.endswith(".tgz"))
        subprocess.run(["tar", "-xzf", archive], cwd=folder, check=True)
    except (OSError, subprocess.SubprocessError, StopIteration):
        skip("npm does not give %s here" % PACKAGE)
    return os.path.join(folder, "package")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--convert", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--models")
    args = parser.parse_args()
    sys.path.insert(0, args.convert)
    try:
        from blazeface_from_tflite import Converter, Model
    except ImportError as why:
        skip("needs python3-onnx (%s)" % why)
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        models = args.models or get_models(folder)
        for kind in ("short", "full"):
            model = Model(os.path.join(models, "face_detection_%s_range.tflite" % kind))
            onnx = os.path.join(folder, kind + ".onnx")
            Converter(model).convert().save(onnx, "")
            side = model.shapes[model.inputs[0]][1]
            for seed in range(3):
                noise = np.random.default_rng(seed).uniform(-1, 1, (1, 8 << seed, 8 << seed, 3))
                picture = resize(noise, [1, side, side, 3], type("Options", (), {"options": {
                    "align_corners": 0, "half_pixel_centers": 1}})).astype(np.float32)
                want = evaluate(model, picture)
                np.save(os.path.join(folder, "x.npy"), np.ascontiguousarray(picture.transpose(0, 3, 1, 2)))
                subprocess.run([*shlex.split(args.run), onnx, "--input", "x.npy", "--output", "y.npy"], cwd=folder, check=True)
                for name, width in (("y.npy", 16), ("y.1.npy", 1)):
                    got = np.load(os.path.join(folder, name))
                    assert got.shape == want[width].shape
                    error = np.abs(got - want[width]).max() / np.abs(want[width]).max()
                    worst = max(worst, error)
                    if not error <= TOLERANCE:
                        print("%s range, seed %d, %s: off by %.2g of the largest" % (kind, seed, name, error))
    print("BlazeFace, two graphs, three pictures each: off by %.2g of the largest output at most" % worst)
    sys.exit(0 if worst <= TOLERANCE else 1)


main()
