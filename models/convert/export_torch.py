#!/usr/bin/python3
"""A PyTorch model of your own to the one ONNX file that a card waits for.

    export_torch.py --model FILE.py:NAME --card CARD.json [--weights CHECKPOINT [--key KEY] [--trust]] -o OUT.onnx

NAME in FILE.py is a class or a function that gives an nn.Module when it is called without arguments. The checkpoint is a state dict, or
holds one under --key (found by itself as state_dict, model, model_state_dict or net); "module." before names is taken off; every tensor must
fit. Pickles that hold more than tensors are refused without --trust, since loading them runs their code.
The card says the input's shape; batches stay open for a network over pictures and are 1 for one over clips. The file is checked, and the
module's own output for a fixed input is written beside it (OUT.input.npy, OUT.output.npy) for
    fakesift models run OUT.onnx --input OUT.input.npy --output y.npy
"""
import argparse
import importlib.util
import json
import os
import sys

import numpy as np
import onnx
import torch

from onnx_build import ConversionError, run

KEYS = ("state_dict", "model", "model_state_dict", "net")


def module_of(text):
    path, colon, name = text.rpartition(":")
    if not colon:
        raise ConversionError(f"--model {text}: FILE.py:NAME is wanted")
    spec = importlib.util.spec_from_file_location("exported_model", path)
    if spec is None or not os.path.exists(path):
        raise ConversionError(f"{path}: not a Python file")
    file = importlib.util.module_from_spec(spec)
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec.loader.exec_module(file)
    if not hasattr(file, name):
        raise ConversionError(f"{path}: has no {name}")
    module = getattr(file, name)()
    if not isinstance(module, torch.nn.Module):
        raise ConversionError(f"{text} gives a {type(module).__name__}, not an nn.Module")
    return module


def state_of(path, key, trust):
    try:
        state = torch.load(path, map_location="cpu", weights_only=not trust)
    except Exception as e:  # pickle's and torch's own kinds
        hint = "" if trust else " (--trust loads it as it is, and runs what it says)"
        raise ConversionError(f"{path}: cannot be loaded{hint}: {str(e).splitlines()[0]}") from None
    for k in [key] if key else KEYS:
        if isinstance(state, dict) and isinstance(state.get(k), dict):
            state = state[k]
            break
    else:
        if key:
            raise ConversionError(f"{path}: holds no {key}")
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ConversionError(f"{path}: holds no state dict; --key names where it is")
    return {k[7:] if k.startswith("module.") else k: v for k, v in state.items()}


def load(module, state):
    wrong = [f"{k} {tuple(v.shape)}, not {tuple(state[k].shape)}" for k, v in module.state_dict().items()
             if k in state and v.shape != state[k].shape]
    if wrong:
        raise ConversionError(f"shapes differ: {'; '.join(wrong[:3])}{' ...' if len(wrong) > 3 else ''}")
    missing, extra = module.load_state_dict(state, strict=False)
    if missing or extra:
        raise ConversionError(f"the checkpoint lacks {missing[:3]} and has {extra[:3]} too many "
                              f"({len(missing)} and {len(extra)} names)")


def shape_of(card):
    if card.get("kind") not in ("detector", "features") or "tensor" not in card:
        raise ConversionError("the card is of no network over pictures")
    c, h, w = 1 if card["tensor"]["order"] == "grey" else 3, card["crop"]["height_px"], card["crop"]["width_px"]
    t = card.get("sampling", {}).get("frames", 1)
    return {"nchw": (c, h, w), "nhwc": (h, w, c), "ntchw": (t, c, h, w), "ncthw": (c, t, h, w)}[card["tensor"]["layout"]]


def main():
    p = argparse.ArgumentParser(description="A PyTorch model to the ONNX file that a card waits for.")
    p.add_argument("--model", required=True, metavar="FILE.py:NAME", help="called without arguments, gives an nn.Module")
    p.add_argument("--card", required=True, help="the card that the file is for")
    p.add_argument("--weights", metavar="CHECKPOINT", help="a state dict; default: the module as it is made")
    p.add_argument("--key", help="where in the checkpoint the state dict is")
    p.add_argument("--trust", action="store_true", help="load a checkpoint that holds more than tensors, and run what it says")
    p.add_argument("-o", "--output", required=True, metavar="OUT.onnx")
    a = p.parse_args()
    with open(a.card, encoding="utf-8") as f:
        card = json.load(f)
    shape = shape_of(card)
    module = module_of(a.model)
    if a.weights:
        load(module, state_of(a.weights, a.key, a.trust))
    module.eval()
    x = torch.from_numpy(np.random.default_rng(1).normal(0, 0.5, (1, *shape)).astype(np.float32))
    with torch.no_grad():
        y = module(x)
    if not isinstance(y, torch.Tensor):
        raise ConversionError(f"the module gives a {type(y).__name__}, not a tensor: wrap it so that forward gives the score alone")
    # A recurrent network's first state has the batch's size, which PyTorch 1.13 writes down as a number.
    axes = {"input": {0: "N"}, "output": {0: "N"}} if len(shape) == 3 else None
    torch.onnx.export(module, x, a.output, opset_version=13, input_names=["input"], output_names=["output"], dynamic_axes=axes)
    onnx.checker.check_model(a.output, full_check=True)
    stem = os.path.splitext(a.output)[0]
    np.save(f"{stem}.input.npy", x.numpy())
    np.save(f"{stem}.output.npy", y.numpy())
    print(f"{a.output}: {list(x.shape)} -> {list(y.shape)}; `fakesift models add {card['name']} {a.output}` installs it")


if __name__ == "__main__":
    run(main)
