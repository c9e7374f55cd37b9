#!/usr/bin/python3
"""Makes the detector that bench/clip runs: YuNet, a frame network with random weights whose features go through a GRU of 256.

    bench/clip_detector.py FOLDER resnet50|mobilenet_v2 [KEY=VALUE...]   e.g. sampling.mode=keyframe sampling.clips=2

Writes FOLDER/card.json and, when they are not there, the ONNX files.
"""
import json
import os
import sys

import torch
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "infer"))
import networks  # noqa: E402

FRAMES = 32


def modules(name):
    """The frame network and the recurrent one behind it, always with the same weights."""
    net = networks.make(name)
    if name == "resnet50":
        net.fc = nn.Identity()
    else:
        net.classifier = nn.Identity()
    with torch.no_grad():
        width = net(torch.zeros(1, 3, 224, 224)).shape[1]
    return net, networks.Recurrent(nn.GRU, width).eval()


def export(folder, name):
    frame, temporal = os.path.join(folder, f"{name}.onnx"), os.path.join(folder, f"gru-{name}.onnx")
    if os.path.exists(temporal):
        return
    net, recurrent = modules(name)
    free = {"dynamic_axes": {"x": {0: "N"}, "y": {0: "N"}}, "input_names": ["x"], "output_names": ["y"], "opset_version": 13}
    torch.onnx.export(net, torch.zeros(2, 3, 224, 224), frame, **free)
    torch.onnx.export(recurrent, torch.zeros(1, 1, recurrent.layer.input_size), temporal, input_names=["x"],
                      output_names=["y"], opset_version=13, dynamic_axes={"x": {1: "T"}})


def main():
    folder, name = sys.argv[1], sys.argv[2]
    os.makedirs(folder, exist_ok=True)
    torch.set_num_threads(1)
    export(folder, name)
    card = {
        "kind": "detector", "name": "bench-" + name.replace("_", "-"), "title": "for timing", "licence": "none",
        "provenance": "random weights", "worth": "nothing", "input": "faces",
        "sampling": {"frames": FRAMES},
        "face": {"detector": "yunet", "threshold": 0.6, "max_faces": 1, "detect_every": 8, "between": "search"},
        "crop": {"width_px": 224, "height_px": 224},
        "tensor": {"layout": "nchw", "order": "rgb", "mean": [0.485, 0.456, 0.406], "deviation": [0.229, 0.224, 0.225]},
        "networks": {"frame": {"file": f"{name}.onnx"}, "temporal": [{"file": f"gru-{name}.onnx"}]},
        "output": {"meaning": "logit"},
    }
    for pair in sys.argv[3:]:
        key, value = pair.split("=", 1)
        section, key = key.split(".")
        card[section][key] = json.loads(value) if value[:1] in "0123456789tf" else value
    with open(os.path.join(folder, "card.json"), "w", encoding="utf-8") as f:
        json.dump(card, f, indent=1)


if __name__ == "__main__":
    sys.exit(main())
