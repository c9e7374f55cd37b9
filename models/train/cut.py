"""Videos and portraits -> aligned wide face crops, cut by fakesift itself, so training sees what the engine sees.

A detector whose "features" are a crop's pixels is run over the corpus with --save-features; its rows become one file:
WORK/NAME.npy (clips, frames, WIDE, WIDE, 3) uint8 RGB beside WORK/NAME.csv (path, clip). Of a video's faces the one that
is followed longest stays. Usage: cut.py FAKESIFT CORPUS LAYOUT WORK NAME, CORPUS a folder of videos, or of portraits where
LAYOUT is "portraits"."""
import csv
import json
import os
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


WIDE, WIDE_MARGIN = 224, 1.8  # room for blends and for errors of alignment around network.SIDE, network.MARGIN
CARD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "card_template.json")


def network_file(path, node, i, o, constants=()):
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in (("x", i), ("y", o)))
    model = helper.make_model(helper.make_graph(node, "pixels", [x], [y], list(constants)),
                              opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 7
    onnx.save(model, path)


def pixel_card(folder, portraits):
    os.makedirs(folder, exist_ok=True)
    n = 3 * WIDE * WIDE
    network_file(os.path.join(folder, "frame.onnx"), [helper.make_node("Flatten", ["x"], ["y"], axis=1)],
                 ["N", 3, WIDE, WIDE], ["N", n])
    network_file(os.path.join(folder, "temporal.onnx"),
                 [helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2], keepdims=0),
                  helper.make_node("Reshape", ["mean", "shape"], ["y"])], ["N", "T", n], ["N", 1],
                 [numpy_helper.from_array(np.array([-1, 1], np.int64), "shape")])
    card = json.load(open(CARD))
    card.update(name="pixels", worth="cuts crops for training", calibration={"temperature": 1, "bias": 0})
    card["face"]["detect_every"] = 1
    card["crop"].update(margin=WIDE_MARGIN, width_px=WIDE, height_px=WIDE)
    card["tensor"] = {"layout": "nchw", "order": "rgb", "scale": 1}
    card["networks"] = {"frame": {"file": "frame.onnx"}, "temporal": [{"file": "temporal.onnx"}]}
    if portraits:
        card["sampling"] = {"mode": "uniform", "frames": 1, "min_frames": 1}
    json.dump(card, open(os.path.join(folder, "card.json"), "w"))


def portrait_videos(source, folder):
    """A picture becomes a video of one frame, its JPEG bytes as they are."""
    os.makedirs(folder, exist_ok=True)
    for name in sorted(os.listdir(source)):
        if name.lower().endswith((".jpg", ".jpeg")):
            subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", os.path.join(source, name), "-c", "copy",
                            os.path.join(folder, name + ".avi")], check=True)


def collect(features, out):
    rows = list(csv.DictReader(open(os.path.join(features, "index.csv"))))
    count = {}
    for r in rows:
        of = count.setdefault(r["path"], {})
        of[r["track"]] = of.get(r["track"], 0) + 1
    longest = {p: max(of, key=lambda t: (of[t], -int(t))) for p, of in count.items()}
    rows = [r for r in rows if r["track"] == longest[r["path"]]]
    shards = {n: np.load(os.path.join(features, n), mmap_mode="r") for n in sorted({r["shard"] for r in rows})}
    frames = next(iter(shards.values())).shape[1]
    crops = np.lib.format.open_memmap(out + ".part.npy", "w+", np.uint8, (len(rows), frames, WIDE, WIDE, 3))
    for k, r in enumerate(rows):
        x = shards[r["shard"]][int(r["row"])].reshape(frames, 3, WIDE, WIDE)
        crops[k] = x.transpose(0, 2, 3, 1).astype(np.uint8)
    crops.flush()
    with open(out + ".csv", "w", newline="") as f:
        w = csv.writer(f)
        w.writerow(["path", "clip"])
        w.writerows([r["path"], r["clip"]] for r in rows)
    os.replace(out + ".part.npy", out + ".npy")
    print(f"{out}: {len(rows)} clips of {len(longest)} files")


def main():
    fakesift, corpus, layout, work, name = sys.argv[1:]
    out, portraits = os.path.join(work, name), layout == "portraits"
    if os.path.exists(out + ".npy"):
        return
    card, run, features = (os.path.join(work, name + s) for s in (".card", ".run", ".features"))
    pixel_card(card, portraits)
    if portraits:
        portrait_videos(corpus, out + ".videos")
        corpus, layout = out + ".videos", "auto"
    if not os.path.exists(os.path.join(features, "index.csv")):
        subprocess.run(["mpirun", "-n", "1", fakesift, "run", corpus, "--layout", layout, "--detector", card, "-o", run,
                        "--save-features", features, "-q"], check=True)
    collect(features, out)


if __name__ == "__main__":
    main()
