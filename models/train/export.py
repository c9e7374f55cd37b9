"""model.pt -> frame.onnx, temporal.onnx (opset 13, batch open) and card.json with their sha256 and the calibration.

The GRU's initial state is zero, ONNX's default: the shape arithmetic that PyTorch writes for it is taken out."""
import argparse
import hashlib
import json
import os

import numpy as np
import onnx
import torch

import network
from make_clips import FRAMES, MARGIN, SIDE


DEMO = "rendered as the demonstration's clips"


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


def export(net, example, path, name):
    axes = {0: "N"} if example.dim() == 4 else {0: "N", 1: "T"}
    torch.onnx.export(net, example, path, opset_version=13, input_names=["input"], output_names=[name],
                      dynamic_axes={"input": axes, name: {0: "N"}}, do_constant_folding=True)
    m = onnx.load(path)
    for n in m.graph.node:
        if n.op_type == "GRU":
            del n.input[4:]  # lengths (not given) and the initial state
    prune(m.graph)
    for i, n in enumerate(m.graph.node):
        n.name = f"{n.op_type}_{i}"
        n.doc_string = ""
    onnx.checker.check_model(m, full_check=True)
    onnx.save(m, path)
    return sorted({n.op_type for n in m.graph.node})


def sha256(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()


def worth(report):
    rows = {r["what"].strip(): r for r in report["rows"]}

    def figure(what):
        r = rows[what]
        return f"{r['auc']:.2f} (n={r['n_fake']}+{r['n_real']})"

    natural = rows["all real footage, held-out groups+methods"]
    text = (f"A baseline for demonstrations and tests; not evidence about any video. Video AUC (fakes+reals), held-out "
            f"groups of seen methods {figure('held-out groups of seen methods')}, held-out methods {figure('held-out methods')}, "
            f"unseen pastes {figure('unseen blends, all')}, rendered like the demo {figure(DEMO)}. "
            f"{natural['fpr']:.0%} of {natural['n_real']} held-out real clips reach .5. With so few clips the intervals are wide. "
            f"Not judged on public benchmarks.")
    assert len(text) < 512, len(text)
    return text


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--report", required=True, help="evaluate.py's")
    p.add_argument("--out", required=True, help="the card's folder")
    p.add_argument("--golden", help="also write inputs and torch's outputs here (.npz), to check another engine")
    a = p.parse_args()
    m, report = torch.load(a.model), json.load(open(a.report))
    frame, temporal = network.Frame().eval(), network.Temporal().eval()
    frame.load_state_dict(m["frame"]), temporal.load_state_dict(m["temporal"])
    os.makedirs(a.out, exist_ok=True)
    files = [os.path.join(a.out, f) for f in ("frame.onnx", "temporal.onnx")]
    print(export(frame, torch.zeros(2, 3, SIDE, SIDE), files[0], "features"))
    print(export(temporal, torch.zeros(2, FRAMES, network.FEATURES), files[1], "logit"))
    card = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "card_template.json")))
    card["networks"]["frame"]["sha256"] = sha256(files[0])
    card["networks"]["temporal"][0]["sha256"] = sha256(files[1])
    card["worth"] = worth(report)
    card["calibration"] = {"temperature": round(report["temperature"], 4), "bias": round(report["bias"], 4)}
    card["sampling"]["frames"] = FRAMES
    card["crop"].update(margin=MARGIN, width_px=SIDE, height_px=SIDE)
    with open(os.path.join(a.out, "card.json"), "w") as f:
        json.dump(card, f, indent=2)
        f.write("\n")
    if a.golden:
        torch.manual_seed(5)
        x, y = torch.randn(3, 3, SIDE, SIDE), torch.randn(2, FRAMES, network.FEATURES)
        with torch.no_grad():
            np.savez(a.golden, frame_in=x.numpy(), frame_out=frame(x).numpy(), temporal_in=y.numpy(), temporal_out=temporal(y).numpy())
    print({os.path.basename(f): os.path.getsize(f) for f in files},
          f"{network.macs_of_frame(SIDE) / 1e6:.2f} M multiply-adds a frame")


if __name__ == "__main__":
    main()
