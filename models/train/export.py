"""Weights -> frame.onnx and temporal.onnx (opset 13, batch open, weights stored in half precision) and card.json.

The weights are rounded before anything is computed with them, so PyTorch and the engine see the same numbers. --golden
writes what PyTorch gives for synthetic pictures; tests/golden/check_trained.py compares the engine with it."""
import argparse
import hashlib
import json
import os

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

import network
from cut import WIDE, WIDE_MARGIN
from network import CLIPS, FRAMES, MARGIN, SIDE

HALF_FROM = 256  # values; smaller tensors stay as they are


def prune(graph):
    while True:
        used = {i for n in graph.node for i in n.input} | {o.name for o in graph.output}
        dead = [n for n in graph.node if not any(o in used for o in n.output)]
        if not dead:
            break
        for n in dead:
            graph.node.remove(n)
    for t in [t for t in graph.initializer if t.name not in used]:
        graph.initializer.remove(t)


def join_pads(graph):
    """network.Conv's padding below and to the right, the only one there is, goes into the convolution after it."""
    made = {n.output[0]: n for n in graph.node}
    for n in graph.node:
        pad = made.get(n.input[0]) if n.op_type == "Conv" else None
        if pad is not None and pad.op_type == "Pad":
            for a in n.attribute:
                if a.name == "pads":
                    a.ints[:] = [0, 0, 1, 1]
            n.input[0] = pad.input[0]


def halve(graph):
    casts = []
    for t in graph.initializer:
        x = numpy_helper.to_array(t)
        if x.dtype == np.float32 and x.size >= HALF_FROM:
            name = t.name
            t.CopyFrom(numpy_helper.from_array(x.astype(np.float16), name + ".half"))
            casts.append(helper.make_node("Cast", [name + ".half"], [name], to=TensorProto.FLOAT))
    for k, n in enumerate(casts):
        graph.node.insert(k, n)


def rounded(net):
    for t in list(net.parameters()) + list(net.buffers()):
        t.data = t.data.half().float() if t.numel() >= HALF_FROM else t.data
    return net.eval()


def export(net, example, path, name):
    axes = {0: "N"} if example.dim() == 4 else {0: "N", 1: "T"}
    torch.onnx.export(net, example, path, opset_version=13, input_names=["input"], output_names=[name],
                      dynamic_axes={"input": axes, name: {0: "N"}}, do_constant_folding=True)
    m = onnx.load(path)
    for n in m.graph.node:
        if n.op_type == "GRU":
            del n.input[4:]  # lengths (not given) and the initial state, zero as by default
    join_pads(m.graph)
    prune(m.graph)
    halve(m.graph)
    for k, n in enumerate(m.graph.node):
        n.name, n.doc_string = f"{n.op_type}_{k}", ""
    onnx.checker.check_model(m, full_check=True)
    onnx.save(m, path)
    return sorted({n.op_type for n in m.graph.node})


class Use(torch.nn.Module):
    """The frame network behind the sampling that training had: the engine cuts a wide crop, as for training, and two
    products bring it to the network's side, bilinearly. Cut directly, crops are sharper than any that was trained on."""

    def __init__(self, frame):
        super().__init__()
        self.frame, to = frame, torch.zeros(SIDE, WIDE)
        s = SIDE * WIDE_MARGIN / MARGIN / WIDE
        for k in range(SIDE):
            at = (k - SIDE / 2) / s + WIDE / 2
            to[k, int(at)] += 1 - at % 1
            to[k, int(at) + 1] += at % 1
        self.register_buffer("rows", to), self.register_buffer("columns", to.t().contiguous())

    def forward(self, x):
        return self.frame(torch.matmul(torch.matmul(self.rows, x), self.columns))


def macs(frame):
    count = []

    def add(layer, _, out):
        count.append(layer.weight.numel() * out.shape[2] * out.shape[3])
    hooks = [m.register_forward_hook(add) for m in frame.modules() if isinstance(m, torch.nn.Conv2d)]
    frame(torch.zeros(1, 3, SIDE, SIDE))
    for h in hooks:
        h.remove()
    return sum(count) + sum(m.weight.numel() for m in frame.modules() if isinstance(m, torch.nn.Linear))


def pictures(n):
    """Synthetic and the same everywhere: smooth patterns and noise, 0..1."""
    y, x = np.mgrid[0:WIDE, 0:WIDE].astype(np.float64) / WIDE
    k = np.arange(n * 3).reshape(n, 3, 1, 1)
    return (0.5 + 0.3 * np.sin((3 + k) * x + k) * np.cos((5 - 0.7 * k) * y) + 0.2 * np.sin(997 * x * (k + 1) + 1009 * y)).astype(np.float32)


def sequences(n):
    k = np.arange(n * FRAMES * (network.FEATURES + 1)).reshape(n, FRAMES, -1)
    return (1 + np.sin(0.37 * k) + np.cos(0.011 * k * k % 7)).astype(np.float32)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--frame", required=True)
    p.add_argument("--temporal", required=True)
    p.add_argument("--out", required=True, help="the card's folder")
    p.add_argument("--name", default="fakesift-temporal")
    p.add_argument("--worth", default="not measured")
    p.add_argument("--calibration", help="evaluate.py's; without it the logits stay as they are")
    p.add_argument("--golden", help="a .json for check_trained.py")
    a = p.parse_args()
    frame, temporal = network.Frame(), network.Temporal()
    frame.load_state_dict(torch.load(a.frame)), temporal.load_state_dict(torch.load(a.temporal))
    use, temporal = rounded(Use(frame)), rounded(temporal)
    os.makedirs(a.out, exist_ok=True)
    files = [os.path.join(a.out, f) for f in ("frame.onnx", "temporal.onnx")]
    with torch.no_grad():
        print(export(use, torch.zeros(2, 3, WIDE, WIDE), files[0], "features"))
        print(export(temporal, torch.zeros(2, FRAMES, network.FEATURES + 1), files[1], "logit"))
        card = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "card_template.json")))
        for of, path in zip([card["networks"]["frame"], card["networks"]["temporal"][0]], files):
            of["sha256"] = hashlib.sha256(open(path, "rb").read()).hexdigest()
        card.update(name=a.name, worth=a.worth)
        if a.calibration and os.path.exists(a.calibration):
            fit = json.load(open(a.calibration))
            card["calibration"] = {k: fit[k] for k in ("temperature", "bias")}
        card["sampling"].update(clips=CLIPS, frames=FRAMES)
        card["crop"].update(margin=WIDE_MARGIN, width_px=WIDE, height_px=WIDE)
        with open(os.path.join(a.out, "card.json"), "w") as f:
            json.dump(card, f, indent=2)
            f.write("\n")
        if a.golden:
            out = {"frame": use(torch.from_numpy(pictures(3))).tolist(), "temporal": temporal(torch.from_numpy(sequences(2))).tolist()}
            with open(a.golden, "w") as f:
                json.dump({k: [[float(f"{v:.7g}") for v in row] for row in rows] for k, rows in out.items()}, f)
                f.write("\n")
        print({os.path.basename(f): os.path.getsize(f) for f in files}, f"{macs(frame) / 1e6:.1f} M multiply-adds a frame")


if __name__ == "__main__":
    main()
