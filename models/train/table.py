"""The model card's table, in Markdown, from evaluate.py's report, with 95 % intervals of AUC by bootstrap over groups
(none for fewer than 5 fakes).
Usage: table.py REPORT.json"""
import json
import sys

import numpy as np
from sklearn.metrics import roc_auc_score


def interval(label, logit, group):
    rng, names, out = np.random.default_rng(3), sorted(set(group)), []
    of = {g: np.flatnonzero(group == g) for g in names}
    for _ in range(1000):
        i = np.concatenate([of[g] for g in rng.choice(names, len(names))])
        if 0 < label[i].sum() < len(i):
            out.append(roc_auc_score(label[i], logit[i]))
    return np.percentile(out, [2.5, 97.5]) if len(out) > 500 else (float("nan"),) * 2


report = json.load(open(sys.argv[1]))
scores = [s for s in report["scores"]]
print("| held out | fakes | reals | AUC (95 %) | reals at .5 or more | fakes at .5 or more |\n|---|---|---|---|---|---|")
for r in report["rows"]:
    if not r["n_fake"]:
        continue
    pick = [scores[i] for i in r["index"]]
    low, high = interval(np.array([int(s["label"]) for s in pick]), np.array([s["logit"] for s in pick]),
                         np.array([s["group"] for s in pick]))
    spread = f" ({low:.2f} to {high:.2f})" if r["n_fake"] >= 5 else ""
    indent = "&nbsp;&nbsp;" if r["what"].startswith(" ") else ""
    print(f"| {indent}{r['what'].strip()} | {r['n_fake']} | {r['n_real']} | {r['auc']:.2f}{spread} | {r['fpr']:.2f} | {r['tpr']:.2f} |")
