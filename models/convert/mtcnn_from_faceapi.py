#!/usr/bin/python3
"""MTCNN (Zhang et al. 2016, the weights of the FaceNet implementation) from face-api's shard and manifest to ONNX.

    mtcnn_from_faceapi.py --weights mtcnn_model-shard1 --manifest mtcnn_model-weights_manifest.json -o FOLDER

Writes FOLDER/pnet.onnx, rnet.onnx and onet.onnx. Their contract:

    pnet  input [N,3,H,W] (N, H, W open; H, W >= 12)  prob [N,2,h,w]   reg [N,4,h,w]
    rnet  input [N,3,24,24]                           prob [N,2]       reg [N,4]
    onet  input [N,3,48,48]                           prob [N,2]       reg [N,4]      points [N,10]

The input is an ordinary upright picture, planar RGB, value = (pixel - 127.5) / 128. prob is a softmax, index 1 = face.
reg is dx1, dy1, dx2, dy2 as shares of the box's width and height. points is x1..x5, y1..y5 as shares of the box:
picture-left eye, picture-right eye, nose, picture-left and picture-right mouth corner.
pnet's cell (y, x) covers the pixels [2x, 2x + 12) by [2y, 2y + 12); h = ceil((H - 2) / 2) - 4, w likewise.

The source's networks see the picture with its axes swapped (a Matlab heritage). That is resolved here in the weights,
so nobody else has to know: kernels HWIO -> OIWH, and the rows of the first dense layer from (x, y, channel) to
(channel, y, x). The channels are RGB, as FaceNet feeds the same weights. face-api itself feeds BGR, which costs it
faces: on 60 portraits with boxes x 1.3, O-Net's mean probability of a face is .91 with RGB and .57 with BGR.
"""

import argparse
import json
import os

import numpy as np

from onnx_build import ConversionError, Graph, run

# (kernel, stride 2, end padding) of the pools after conv1, conv2, conv3. The end padding is TensorFlow's "same".
RNET_POOLS = [(3, 1), (3, 0), None]
ONET_POOLS = [(3, 1), (3, 0), (2, 0)]


def read_weights(weights_path, manifest_path):
    """name -> float32 array, from float32 tensors or from uint8 ones with scale and min (w = q * scale + min)."""
    with open(manifest_path, encoding="utf-8") as f:
        manifest = json.load(f)
    with open(weights_path, "rb") as f:
        data = f.read()
    tensors, at = {}, 0
    for group in manifest:
        for entry in group["weights"]:
            count = int(np.prod(entry["shape"], dtype=np.int64))
            quantised = entry.get("quantization")
            dtype = np.dtype("<f4" if quantised is None else quantised.get("dtype", "uint8"))
            end = at + count * dtype.itemsize
            if end > len(data):
                raise ConversionError(f"{weights_path}: ends inside {entry['name']}: {len(data)} bytes, {end} wanted")
            values = np.frombuffer(data[at:end], dtype)
            if quantised is not None:
                values = values * np.float64(quantised["scale"]) + quantised["min"]
            tensors[entry["name"]] = values.astype(np.float32).reshape(entry["shape"])
            at = end
    if at != len(data):
        raise ConversionError(f"{weights_path}: {len(data) - at} bytes more than {manifest_path} describes")
    return tensors


class Weights:
    """One network's tensors, turned to upright pictures."""

    def __init__(self, tensors, network):
        self.tensors, self.network = tensors, network

    def get(self, name):
        full = f"{self.network}/{name}"
        if full not in self.tensors:
            raise ConversionError(f"the manifest has no {full}")
        return self.tensors[full]

    def conv(self, name):
        return self.get(f"{name}/weights").transpose(3, 2, 1, 0), self.get(f"{name}/bias")  # HWIO -> OIWH

    def flat_dense(self, name, channels, side):
        w = self.get(f"{name}/weights").reshape(side, side, channels, -1)  # x, y, channel, out
        return w.transpose(2, 1, 0, 3).reshape(channels * side * side, -1), self.get(f"{name}/bias")

    def dense(self, name):
        return self.get(f"{name}/weights"), self.get(f"{name}/bias")


def prelu(g, w, x, index, rank4=True):
    alpha = w.get(f"prelu{index}_alpha")
    slope = g.constant(f"prelu{index}.slope", alpha.reshape(-1, 1, 1) if rank4 else alpha)
    return g.op("PRelu", [x, slope], f"prelu{index}")


def pnet(tensors):
    g, w = Graph("mtcnn_pnet"), Weights(tensors, "pnet")
    x = g.input("input", ["N", 3, "H", "W"])
    x = prelu(g, w, g.conv(x, "conv1", *w.conv("conv1")), 1)
    x = g.op("MaxPool", [x], "pool1", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    x = prelu(g, w, g.conv(x, "conv2", *w.conv("conv2")), 2)
    x = prelu(g, w, g.conv(x, "conv3", *w.conv("conv3")), 3)
    g.op("Softmax", [g.conv(x, "conv4_1", *w.conv("conv4_1"))], "prob", axis=1)
    g.conv(x, "reg", *w.conv("conv4_2"))
    g.output("prob", ["N", 2, "h", "w"])
    g.output("reg", ["N", 4, "h", "w"])
    return g


def refine(tensors, network, side, pools, last_side, dense, heads):
    """rnet and onet: convolutions, one dense layer, dense heads. heads: (source's name, output's name, values)."""
    g, w = Graph(f"mtcnn_{network}"), Weights(tensors, network)
    x = g.input("input", ["N", 3, side, side])
    n_convs = sum(f"{network}/conv{i}/weights" in tensors for i in range(1, 5))
    for i in range(1, n_convs + 1):
        x = prelu(g, w, g.conv(x, f"conv{i}", *w.conv(f"conv{i}")), i)
        pool = pools[i - 1] if i <= len(pools) else None
        if pool:
            x = g.op("MaxPool", [x], f"pool{i}", kernel_shape=[pool[0]] * 2, strides=[2, 2],
                     pads=[0, 0, pool[1], pool[1]])
    channels = w.get(f"conv{n_convs}/bias").shape[0]
    x = g.op("Flatten", [x], "flat", axis=1)
    x = prelu(g, w, g.dense(x, "fc1", *w.flat_dense("fc1", channels, last_side)), dense, rank4=False)
    for source, output, values in heads:
        if output == "prob":
            g.op("Softmax", [g.dense(x, source, *w.dense(source))], output, axis=1)
        else:
            g.dense(x, output, *w.dense(source))
        g.output(output, ["N", values])
    return g


def convert(tensors, folder):
    doc = ("MTCNN, https://arxiv.org/abs/1604.02878. Input: upright planar RGB, (pixel - 127.5) / 128. "
           "prob[1] = face; reg = dx1, dy1, dx2, dy2; points = x1..x5, y1..y5.")
    graphs = {
        "pnet": pnet(tensors),
        "rnet": refine(tensors, "rnet", 24, RNET_POOLS, 3, 4, [("fc2_1", "prob", 2), ("fc2_2", "reg", 4)]),
        "onet": refine(tensors, "onet", 48, ONET_POOLS, 3, 5,
                       [("fc2_1", "prob", 2), ("fc2_2", "reg", 4), ("fc2_3", "points", 10)]),
    }
    for name, graph in graphs.items():
        graph.save(os.path.join(folder, f"{name}.onnx"), doc)


def main():
    p = argparse.ArgumentParser(description="MTCNN from face-api's weights to three ONNX files.")
    p.add_argument("--weights", required=True, help="mtcnn_model-shard1")
    p.add_argument("--manifest", required=True, help="mtcnn_model-weights_manifest.json")
    p.add_argument("-o", "--output", required=True, metavar="FOLDER", help="an existing folder")
    a = p.parse_args()
    convert(read_weights(a.weights, a.manifest), a.output)


if __name__ == "__main__":
    run(main)
