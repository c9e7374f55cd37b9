#!/usr/bin/python3
"""Coefficients and cross-validated probabilities of scikit-learn, for tests/coordinator/test_logistic.c.

Writes ../data/logistic.txt: for each case "n width", then n lines "fold y x...", then the coefficients and the intercept,
then n probabilities, each by the fit on the other folds after StandardScaler.
"""
import pathlib

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler


def fit(x, y):
    return LogisticRegression(C=1.0, solver="newton-cg", tol=1e-10, max_iter=300).fit(x, y)


def main():
    generator = np.random.default_rng(20261123)
    text = []
    for n, width, kind in [(60, 3, "plain"), (80, 5, "separable"), (75, 4, "constant"), (90, 6, "one-hot")]:
        x = np.round(generator.normal(size=(n, width)) * generator.uniform(0.1, 20, size=width), 4)
        y = (x[:, 0] / x[:, 0].std() + generator.normal(size=n) * (0 if kind == "separable" else 1) > 0).astype(int)
        if kind == "constant":
            x[:, 1] = 3
            x[:, 2] = x[:, 3]
        if kind == "one-hot":
            x[:, 2:] = np.eye(4)[generator.integers(0, 4, size=n)]
        fold = generator.integers(0, 5, size=n)
        model = fit(x, y)
        p = np.zeros(n)
        for f in range(5):
            scaler = StandardScaler().fit(x[fold != f])
            p[fold == f] = fit(scaler.transform(x[fold != f]), y[fold != f]).predict_proba(
                scaler.transform(x[fold == f]))[:, 1]
        text.append("%d %d\n" % (n, width))
        text += ["%d %d %s\n" % (fold[i], y[i], " ".join("%.4f" % v for v in x[i])) for i in range(n)]
        text.append(" ".join("%.12g" % v for v in list(model.coef_[0]) + [model.intercept_[0]]) + "\n")
        text.append(" ".join("%.12g" % v for v in p) + "\n")
    (pathlib.Path(__file__).resolve().parent.parent / "data" / "logistic.txt").write_text("".join(text))


if __name__ == "__main__":
    main()
