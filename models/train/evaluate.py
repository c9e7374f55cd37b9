"""Video AUC on what training did not see: held-out groups, held-out makers, by family and by method, with 95 % intervals by
bootstrap over groups.

Usage: evaluate.py WORK --frame M.pt [--temporal T.pt] [--table CSV]     from the cut crops, by PyTorch
       evaluate.py WORK --scores scores.csv [--table CSV]                from fakesift's own report
Writes Markdown to stdout; --calibration FILE also fits temperature and bias (real and fake of equal weight); --damage also scores the clips blurred, noisy, smaller, re-encoded and slower."""
import argparse
import csv
import json
import os

import cv2
import numpy as np
import torch
from sklearn.metrics import roc_auc_score

import chain
import network
from cut import WIDE, WIDE_MARGIN
from network import MARGIN, SIDE
from source import UNSEEN, Clips
from train import features, load_frame


def final(frames):
    """(T, WIDE, WIDE, 3) -> (T, SIDE, SIDE, 3)"""
    s = SIDE * WIDE_MARGIN / MARGIN / WIDE
    m = np.array([[s, 0, SIDE / 2 - s * WIDE / 2], [0, s, SIDE / 2 - s * WIDE / 2]])
    return np.stack([cv2.warpAffine(f, m, (SIDE, SIDE), flags=cv2.INTER_LINEAR) for f in frames])


def smaller(f, side):
    return cv2.resize(cv2.resize(f, (side, side), interpolation=cv2.INTER_AREA), (WIDE, WIDE), interpolation=cv2.INTER_LINEAR)


def each(change):
    return lambda clip: np.stack([change(f) for f in clip])


def noisy(amount):
    def change(f):
        rng = np.random.default_rng(7)
        return np.clip(f + rng.normal(0, amount, f.shape), 0, 255).astype(np.uint8)
    return change


X264 = ["-c:v", "libx264", "-preset", "veryfast", "-crf"]
DAMAGE = {"as it is": lambda c: c,
          "H.264 crf 23": lambda c: chain.encode(c, X264 + ["23"]), "H.264 crf 30": lambda c: chain.encode(c, X264 + ["30"]),
          "H.264 crf 37": lambda c: chain.encode(c, X264 + ["37"]),
          "blur 1 px": each(lambda f: cv2.GaussianBlur(f, (0, 0), 1)), "blur 2 px": each(lambda f: cv2.GaussianBlur(f, (0, 0), 2)),
          "face at 1/2": each(lambda f: smaller(f, WIDE // 2)), "face at 1/4": each(lambda f: smaller(f, WIDE // 4)),
          "noise 5": each(noisy(5)), "noise 10": each(noisy(10)),
          "half the rate": lambda c: np.repeat(c[::2], 2, 0)[:len(c)]}


def auc(label, score):
    label = np.asarray(label)
    return roc_auc_score(label, score) if 0 < label.sum() < len(label) else float("nan")


def interval(label, score, group):
    rng, names, out = np.random.default_rng(3), sorted(set(group)), []
    label, score, group = np.array(label), np.array(score), np.array(group)
    of = {g: np.flatnonzero(group == g) for g in names}
    for _ in range(500):
        i = np.concatenate([of[names[k]] for k in rng.integers(0, len(names), len(names))])
        if 0 < label[i].sum() < len(i):
            out.append(auc(label[i], score[i]))
    return np.percentile(out, [2.5, 97.5]) if len(out) > 400 else (float("nan"),) * 2


def videos(clips, split):
    """path -> row of its first clip, and its clips."""
    out = {}
    for k in clips.where(split=split, set=["real", "fake"]):
        out.setdefault(clips.rows[k]["set"] + "/" + clips.rows[k]["path"], []).append(k)
    return out


@torch.no_grad()
def score_all(clips, of, frame, temporal, change=lambda c: c):
    """path -> (frames' mean, with the temporal network): mean over clips of probabilities."""
    out = {}
    for path, ks in of.items():
        x = torch.from_numpy(features(frame, np.stack([final(change(np.array(clips.frames(k)))) for k in ks])))
        single = torch.sigmoid(x[..., -1].mean(1)).mean()
        out[path] = float(single), float(torch.sigmoid(temporal(x)[:, 0]).mean()) if temporal else float(single)
    return out


def subsets(rows):
    """name -> indices of fakes; the reals are those of the same splits."""
    def pick(f):
        return [k for k, r in enumerate(rows) if r["label"] and f(r)]
    out = {"all held out": pick(lambda r: True), "makers seen, groups held out": pick(lambda r: r["method"] not in UNSEEN),
           "makers not seen": pick(lambda r: r["method"] in UNSEEN)}
    for field in ("family", "method"):
        for v in sorted({r[field] for r in rows if r["label"]}):
            out["  " + v] = pick(lambda r: r[field] == v)
    return {k: v for k, v in out.items() if v}


def table(rows, score):
    reals = [k for k, r in enumerate(rows) if not r["label"]]
    line = np.quantile([score[k] for k in reals], 0.95)
    print("| held out | fakes | reals | AUC (95 %) | fakes found at 5 % of these reals |\n|---|---|---|---|---|")
    for name, fakes in subsets(rows).items():
        i = fakes + reals
        label, s, g = [rows[k]["label"] for k in i], [score[k] for k in i], [rows[k]["group"] for k in i]
        low, high = interval(label, s, g) if len(fakes) >= 5 else (0, 0)
        spread = f" ({low:.2f} to {high:.2f})" if len(fakes) >= 5 else ""
        found = np.mean([score[k] > line for k in fakes])
        print(f"| {'&nbsp;&nbsp;' if name[0] == ' ' else ''}{name.strip()} | {len(fakes)} | {len(reals)} | {auc(label, s):.2f}{spread} | {found:.2f} |")
    pairs = [(r["group"], score[k]) for k, r in enumerate(rows) if r["label"] and r["method"].startswith("DeepFaceLive")]
    originals = {rows[k]["group"]: score[k] for k in reals}
    won = [s > originals[g] for g, s in pairs if g in originals]
    if won:
        print(f"\nAbove its own original: {sum(won)} of {len(won)} face swaps.")
    print(f"5 % of the {len(reals)} reals lie above {line:.3f}; {np.mean([score[k] >= 0.5 for k in reals]):.0%} reach .5.")


def calibrate(label, score, path):
    """p = sigmoid((logit + bias) / temperature), by the least log loss; the line that 5 % of the reals lie above, after it."""
    y, p = torch.tensor(label).float(), torch.tensor(score).double().clamp(1e-6, 1 - 1e-6)
    x, w = torch.logit(p).float(), torch.where(y > 0, 0.5 / y.sum(), 0.5 / (1 - y).sum())
    at = torch.zeros(2, requires_grad=True)  # log of temperature, bias
    rate = torch.optim.LBFGS([at], max_iter=200)

    def loss():
        rate.zero_grad()
        value = (w * torch.nn.functional.binary_cross_entropy_with_logits((x + at[1]) / at[0].exp(), y, reduction="none")).sum()
        value.backward()
        return value
    rate.step(loss)
    temperature, bias = float(at[0].exp()), float(at[1])
    line = float(torch.sigmoid((torch.quantile(x[y == 0], 0.95) + bias) / temperature))
    with open(path, "w") as f:
        json.dump({"temperature": round(temperature, 4), "bias": round(bias, 4), "threshold": round(line, 3)}, f)
    print(f"\nTemperature {temperature:.3f}, bias {bias:.3f}; 5 % of these reals lie above {line:.3f} then.")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("work")
    p.add_argument("--frame")
    p.add_argument("--temporal")
    p.add_argument("--scores")
    p.add_argument("--table")
    p.add_argument("--damage", action="store_true")
    p.add_argument("--calibration")
    p.add_argument("--most", type=int, default=64, help="clips of a video; default %(default)s")
    p.add_argument("--split", default="last,groups,methods")
    a = p.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    clips = Clips(a.work, ["real", "fake"], a.table)
    of = videos(clips, a.split.split(","))
    of = {path: ks[:a.most] for path, ks in of.items()}
    rows = [clips.rows[ks[0]] for ks in of.values()]
    if a.scores:
        known = {os.path.basename(r["path"]): r for r in csv.DictReader(open(a.scores))}
        score = [float(known[os.path.basename(path)]["p_fake"]) for path in of]
        table(rows, score)
        return
    frame, temporal = load_frame(a.frame), None
    if a.temporal:
        temporal = network.Temporal().eval()
        temporal.load_state_dict(torch.load(a.temporal))
    scores = score_all(clips, of, frame, temporal)
    for k, what in enumerate(["frames alone", "with the temporal network"] if temporal else ["frames alone"]):
        print(f"\n{what}\n")
        table(rows, [scores[path][k] for path in of])
    if a.calibration:
        calibrate([r["label"] for r in rows], [scores[path][1] for path in of], a.calibration)
    if a.damage:
        print("\n| clips | AUC, all held out | makers not seen |\n|---|---|---|")
        new = [k for k, r in enumerate(rows) if not r["label"] or r["method"] in UNSEEN]
        for name, change in DAMAGE.items():
            s = score_all(clips, of, frame, temporal, change)
            s = [s[path][1] for path in of]
            print(f"| {name} | {auc([r['label'] for r in rows], s):.2f} | {auc([rows[k]['label'] for k in new], [s[k] for k in new]):.2f} |", flush=True)


if __name__ == "__main__":
    main()
