"""What tells held-out fakes from reals without a detector: the file's data alone, sharpness, light. And how scores of real
clips move with light, blur and motion. Usage: shortcuts.py WORK TABLE SCORES.csv (a fakesift report over the whole table)"""
import csv
import os
import sys

import cv2
import numpy as np
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evaluate import videos
from source import Clips

work, table, scores = sys.argv[1:]
clips = Clips(work, ["real", "fake"], table)
known = {os.path.basename(r["path"]): r for r in csv.DictReader(open(scores))}


def measured(k):
    f = np.stack([cv2.cvtColor(np.array(x), cv2.COLOR_RGB2GRAY) for x in clips.frames(k)[:, 40:184, 40:184]]).astype(np.float32)
    return [f.mean(), np.log(np.mean([cv2.Laplacian(x, cv2.CV_32F).var() for x in f]) + 1), np.abs(np.diff(f, axis=0)).mean()]


def about(split):
    of = videos(clips, split)
    rows = [known[os.path.basename(p)] for p in of]
    file = [[float(r[c] or 0) for c in ("fps", "width_px", "height_px", "duration_us", "n_frames", "bit_rate_bps", "n_audio_streams")] for r in rows]
    return np.array([clips.rows[ks[0]]["label"] for ks in of.values()]), np.array(file), np.array([measured(ks[0]) for ks in of.values()]), \
        np.array([float(r["p_fake"] or 0) for r in rows])


y, file, look, _ = about(["train"])
z, file_, look_, p = about(["last", "groups", "methods"])
for what, a, b in (("the file's data alone", file, file_), ("light, sharpness and motion", look, look_)):
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced")).fit(a, y)
    print(f"{what}: AUC {roc_auc_score(z, model.predict_proba(b)[:, 1]):.2f} on {z.sum()} fakes and {(1 - z).sum()} reals")
for k, what in enumerate(("light", "sharpness", "motion")):
    print(f"{what} alone: AUC {roc_auc_score(z, look_[:, k]):.2f}; rank correlation with the score of reals {spearmanr(look_[z == 0, k], p[z == 0])[0]:+.2f}")
