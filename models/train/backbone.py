"""MobileNetV2's first layers out of the npm package nsfwjs 4.4.0 (MIT, Infinite Red), as a state dict for network.py.

The package stores a Keras model for tfjs as two scripts: model.min.js lists the tensors (uint8: value = q * scale + min),
group1-shard1of1.min.js holds their bytes in base64. Batch normalisations are folded into the convolutions before them.
Usage: backbone.py FOLDER OUT.pt; FOLDER is dist/models/mobilenet_v2 of the unpacked package."""
import base64
import os
import re
import sys

import numpy as np
import torch

import network

EPSILON = 1e-3  # Keras' MobileNetV2


def tensors(folder):
    """Name -> float32 array, in Keras' layouts."""
    text = open(os.path.join(folder, "model.min.js")).read()
    text = text[text.index("weightsManifest"):]
    raw = re.search(r'exports="([A-Za-z0-9+/=]+)"', open(os.path.join(folder, "group1-shard1of1.min.js")).read())
    data, at, out = base64.b64decode(raw.group(1)), 0, {}
    entry = r'\{name:"([^"]+)",shape:\[([\d,]*)\],dtype:"float32",quantization:\{min:([-.\de]+),scale:([-.\de]+),dtype:"uint8"\}\}'
    for name, shape, low, scale in re.findall(entry, text):
        shape = [int(n) for n in shape.split(",") if n]
        n = int(np.prod(shape))
        out[name] = (np.frombuffer(data, np.uint8, n, at).astype(np.float32) * float(scale) + float(low)).reshape(shape)
        at += n
    if at != len(data):
        raise SystemExit(f"backbone: {folder}: {len(data)} bytes of weights, {at} named")
    return out


def folded(t, conv, norm):
    """Weight in PyTorch's order and bias of a convolution with its normalisation inside."""
    depthwise = conv + "/depthwise_kernel"
    w = t[depthwise].transpose(2, 3, 0, 1) if depthwise in t else t[conv + "/kernel"].transpose(3, 2, 0, 1)
    by = t[norm + "/gamma"] / np.sqrt(t[norm + "/moving_variance"] + EPSILON)
    bias = t[norm + "/beta"] - t[norm + "/moving_mean"] * by
    return torch.from_numpy(np.ascontiguousarray(w * by[:, None, None, None])), torch.from_numpy(bias)


def state(folder):
    t = tensors(folder)
    names = [("Conv1", "bn_Conv1"), ("expanded_conv_depthwise", "expanded_conv_depthwise_BN"),
             ("expanded_conv_project", "expanded_conv_project_BN")]
    for k in range(1, network.BLOCKS):
        names += [(f"block_{k}_{s}", f"block_{k}_{s}_BN") for s in ("expand", "depthwise", "project")]
    out, own = {}, [k for k in network.Frame().body.state_dict() if k.endswith("weight")]
    assert len(own) == len(names), (len(own), len(names))
    for key, (conv, norm) in zip(own, names):
        out[key], out[key[:-len("weight")] + "bias"] = folded(t, conv, norm)
    return out


if __name__ == "__main__":
    torch.save(state(sys.argv[1]), sys.argv[2])
