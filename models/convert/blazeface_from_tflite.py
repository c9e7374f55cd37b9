#!/usr/bin/python3
"""BlazeFace (Bazarevsky et al. 2019, MediaPipe's weights) from TensorFlow Lite to ONNX.

    blazeface_from_tflite.py --model face_detection_short_range.tflite -o FOLDER

Writes FOLDER/blazeface.onnx. Its contract, for the short range (S = 128, N = 896) and the full range (S = 192, N = 2304):

    input [1,3,S,S]   boxes [1,N,16]   scores [1,N,1]

The input is an upright picture, planar RGB, value = pixel / 127.5 - 1. A row of boxes is, in pixels of the input and
relative to its anchor's centre: centre x, y, width, height, then x, y of the right eye, left eye, nose, mouth's centre,
right and left ear (the person's). scores are logits. Anchors, two a cell of 16 x 16 and six a cell of 8 x 8 (short
range), one a cell of 48 x 48 (full range), lie at the cells' centres, row by row.

The flatbuffer is read here by hand (schema version 3): the tables and fields that these networks have, bounds checked
by Python. Weights are float16 behind DEQUANTIZE and become float32; NHWC becomes NCHW in the weights.
"""

import argparse
import os
import struct

import numpy as np

from onnx_build import ConversionError, Graph, run

DTYPES = {0: np.dtype("<f4"), 1: np.dtype("<f2"), 2: np.dtype("<i4")}
KINDS = {0: "ADD", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 6: "DEQUANTIZE", 17: "MAX_POOL_2D",
         19: "RELU", 22: "RESHAPE", 23: "RESIZE_BILINEAR", 34: "PAD"}
# Where each kind's options keep what is used of them: name -> (index of the field, struct format).
OPTIONS = {
    "ADD": {"activation": (0, "b")},
    "CONCATENATION": {"axis": (0, "i"), "activation": (1, "b")},
    "CONV_2D": {"padding": (0, "b"), "stride_w": (1, "i"), "stride_h": (2, "i"), "activation": (3, "b")},
    "DEPTHWISE_CONV_2D": {"padding": (0, "b"), "stride_w": (1, "i"), "stride_h": (2, "i"), "multiplier": (3, "i"),
                          "activation": (4, "b")},
    "MAX_POOL_2D": {"padding": (0, "b"), "stride_w": (1, "i"), "stride_h": (2, "i"), "width": (3, "i"),
                    "height": (4, "i"), "activation": (5, "b")},
    "RESIZE_BILINEAR": {"align_corners": (2, "b"), "half_pixel_centers": (3, "b")},
}


class Table:
    """A flatbuffer's table; fields by their number in the schema."""

    def __init__(self, data, at):
        self.data, self.at = data, at

    def _number(self, form, at):
        if at < 0 or at + struct.calcsize(form) > len(self.data):
            raise ConversionError(f"the flatbuffer points outside itself, at {at}")
        return struct.unpack_from("<" + form, self.data, at)[0]

    def _place(self, field):
        table = self.at - self._number("i", self.at)
        if 4 + 2 * field >= self._number("H", table):
            return None
        offset = self._number("H", table + 4 + 2 * field)
        return self.at + offset if offset else None

    def number(self, field, form, default=0):
        at = self._place(field)
        return default if at is None else self._number(form, at)

    def table(self, field):
        at = self._place(field)
        return None if at is None else Table(self.data, at + self._number("I", at))

    def vector(self, field):
        """(where the elements begin, their count)"""
        at = self._place(field)
        if at is None:
            return 0, 0
        at += self._number("I", at)
        return at + 4, self._number("I", at)

    def numbers(self, field, form):
        at, count = self.vector(field)
        if count > len(self.data):
            raise ConversionError("a vector is longer than the file")
        return [self._number(form, at + i * struct.calcsize(form)) for i in range(count)]

    def tables(self, field):
        at, count = self.vector(field)
        if count > len(self.data):
            raise ConversionError("a vector is longer than the file")
        return [Table(self.data, at + 4 * i + self._number("I", at + 4 * i)) for i in range(count)]

    def bytes(self, field):
        at, count = self.vector(field)
        if at + count > len(self.data):
            raise ConversionError("a vector is longer than the file")
        return self.data[at:at + count]


class Operation:
    def __init__(self, kind, inputs, outputs, options):
        self.kind, self.inputs, self.outputs, self.options = kind, inputs, outputs, options


class Model:
    """shapes, constants (float32 and int32 arrays) by the tensor's number; operations in order; inputs and outputs."""

    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        if len(data) < 16 or data[4:8] != b"TFL3":
            raise ConversionError(f"{path}: not a TensorFlow Lite file of version 3")
        root = Table(data, struct.unpack_from("<I", data)[0])
        graphs, buffers = root.tables(2), root.tables(4)
        if len(graphs) != 1:
            raise ConversionError(f"{path}: {len(graphs)} graphs, not one")
        codes = [max(c.number(0, "b"), c.number(3, "i")) for c in root.tables(1)]
        graph = graphs[0]
        self.shapes, self.names, self.constants, self.operations = [], [], {}, []
        for i, tensor in enumerate(graph.tables(0)):
            self.shapes.append(tensor.numbers(0, "i"))
            self.names.append(tensor.bytes(3).decode("utf-8", "replace"))
            raw = buffers[tensor.number(2, "I")].bytes(0)
            if not raw:
                continue
            dtype = DTYPES.get(tensor.number(1, "b"))
            if dtype is None or tensor.table(6) is not None:
                raise ConversionError(f"{path}: tensor {i} has a type or a sparsity that is not read here")
            values = np.frombuffer(raw, dtype).reshape(self.shapes[i])
            self.constants[i] = values.astype(np.int32 if dtype.kind == "i" else np.float32)
        for op in graph.tables(3):
            code = codes[op.number(0, "I")]
            kind = KINDS.get(code)
            if kind is None:
                raise ConversionError(f"{path}: operator {code} is not one of BlazeFace's")
            table = op.table(4)
            options = {name: table.number(*where) if table else 0 for name, where in OPTIONS.get(kind, {}).items()}
            inputs, outputs = op.numbers(1, "i"), op.numbers(2, "i")
            if kind == "DEQUANTIZE":
                self.constants[outputs[0]] = self.constants[inputs[0]]
            else:
                self.operations.append(Operation(kind, inputs, outputs, options))
        self.inputs, self.outputs = graph.numbers(1, "i"), graph.numbers(2, "i")


def same_pads(size, kernel, stride, padding):
    """(before, after) of TensorFlow's SAME (0) and VALID (1)."""
    if padding == 1:
        return 0, 0
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Converter:
    def __init__(self, model):
        self.model, self.values = model, {}
        self.g = Graph("blazeface")

    def window(self, op, kernel_hw):
        """strides and pads of an operation that slides over its input."""
        _, height, width, _ = self.model.shapes[op.inputs[0]]
        strides = [op.options["stride_h"], op.options["stride_w"]]
        top, bottom = same_pads(height, kernel_hw[0], strides[0], op.options["padding"])
        left, right = same_pads(width, kernel_hw[1], strides[1], op.options["padding"])
        return {"strides": strides, "pads": [top, left, bottom, right]}

    def conv(self, op, name):
        weights, bias = (self.model.constants[i] for i in op.inputs[1:3])
        x = self.values[op.inputs[0]]
        more = self.window(op, weights.shape[1:3])
        if op.kind == "CONV_2D":  # OHWI
            return self.g.conv(x, name, weights.transpose(0, 3, 1, 2), bias, **more)
        if op.options["multiplier"] != 1:
            raise ConversionError(f"{name}: a depth multiplier of {op.options['multiplier']}")
        return self.g.conv(x, name, weights.transpose(3, 0, 1, 2), bias, group=weights.shape[3], **more)  # 1HWO

    def pad(self, op, name):
        pads = self.model.constants[op.inputs[1]][[0, 3, 1, 2]]
        amounts = self.g.constant(f"{name}.pads", pads.T.reshape(-1), np.int64)
        return self.g.op("Pad", [self.values[op.inputs[0]], amounts], name)

    def reshape(self, op, name):
        shape = self.g.constant(f"{name}.shape", self.model.shapes[op.outputs[0]], np.int64)
        x = self.g.op("Transpose", [self.values[op.inputs[0]]], f"{name}.nhwc", perm=[0, 2, 3, 1])
        return self.g.op("Reshape", [x, shape], name)

    def resize(self, op, name):
        _, h0, w0, _ = self.model.shapes[op.inputs[0]]
        _, h1, w1, _ = self.model.shapes[op.outputs[0]]
        mode = "align_corners" if op.options["align_corners"] else \
            "half_pixel" if op.options["half_pixel_centers"] else "asymmetric"
        scales = self.g.constant(f"{name}.scales", [1, 1, h1 / h0, w1 / w0])
        return self.g.op("Resize", [self.values[op.inputs[0]], "", scales], name, mode="linear",
                         coordinate_transformation_mode=mode)

    def operation(self, op, name):
        if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            return self.conv(op, name)
        if op.kind == "ADD":
            return self.g.op("Add", [self.values[i] for i in op.inputs], name)
        if op.kind == "RELU":
            return self.g.op("Relu", [self.values[op.inputs[0]]], name)
        if op.kind == "MAX_POOL_2D":
            kernel = [op.options["height"], op.options["width"]]
            return self.g.op("MaxPool", [self.values[op.inputs[0]]], name, kernel_shape=kernel, **self.window(op, kernel))
        if op.kind == "CONCATENATION":
            if len(self.model.shapes[op.outputs[0]]) != 3:
                raise ConversionError(f"{name}: concatenates something else than rows")
            return self.g.op("Concat", [self.values[i] for i in op.inputs], name, axis=op.options["axis"])
        return {"PAD": self.pad, "RESHAPE": self.reshape, "RESIZE_BILINEAR": self.resize}[op.kind](op, name)

    def convert(self):
        _, height, width, channels = self.model.shapes[self.model.inputs[0]]
        if height != width or channels != 3:
            raise ConversionError(f"takes pictures of {width} x {height} x {channels}")
        self.values[self.model.inputs[0]] = self.g.input("input", [1, 3, height, width])
        names = {}
        for out in self.model.outputs:
            names[out] = {16: "boxes", 1: "scores"}[self.model.shapes[out][-1]]
        for i, op in enumerate(self.model.operations):
            out = op.outputs[0]
            fused = op.options.get("activation", 0)
            name = names.get(out, f"op{i}")
            if fused not in (0, 1):
                raise ConversionError(f"{name}: the fused activation {fused} is not read here")
            y = self.operation(op, f"{name}.linear" if fused else name)
            self.values[out] = self.g.op("Relu", [y], name) if fused else y
        for out, name in sorted(names.items(), key=lambda item: item[1]):
            self.g.output(name, self.model.shapes[out])
        return self.g


def main():
    p = argparse.ArgumentParser(description="BlazeFace from MediaPipe's TensorFlow Lite file to ONNX.")
    p.add_argument("--model", required=True, help="face_detection_short_range.tflite or face_detection_full_range.tflite")
    p.add_argument("-o", "--output", required=True, metavar="FOLDER", help="an existing folder")
    a = p.parse_args()
    graph = Converter(Model(a.model)).convert()
    graph.save(os.path.join(a.output, "blazeface.onnx"),
               "BlazeFace, https://arxiv.org/abs/1907.05047, weights of MediaPipe (Apache-2.0). Input: upright planar RGB, "
               "pixel / 127.5 - 1. boxes: see blazeface_from_tflite.py; scores: logits.")


if __name__ == "__main__":
    run(main)
