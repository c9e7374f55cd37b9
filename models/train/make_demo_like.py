"""Validation clips rendered by the demonstration's own script (tests/demo/make_corpus.py) from held-out portraits, never
from the demonstration's photographs: a real and a fake of each, cropped as detectors get them by extract.py afterwards."""
import argparse
import csv
import importlib.util
import os

import split


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--make-corpus", required=True)
    p.add_argument("--portraits", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--count", type=int, default=20)
    a = p.parse_args()
    spec = importlib.util.spec_from_file_location("make_corpus", a.make_corpus)
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    held_out = {r["name"] for r in split.portraits(a.portraits) if r["split"] == "val"}
    rows = [r for r in csv.DictReader(open(os.path.join(a.portraits, "index.tsv")), delimiter="\t") if r["file"] in held_out]
    os.makedirs(a.out, exist_ok=True)
    for k, r in enumerate(rows[:a.count]):
        base = os.path.join(a.out, f"demo_{k:03d}")
        if os.path.exists(base + "_done"):
            continue
        width, height, fps, _, extension, options, family, _ = demo.PAIRS[k % len(demo.PAIRS)]
        box = tuple(float(r[c]) for c in ("face_x", "face_y", "face_w", "face_h"))
        face = (r["file"], box, tuple(float(v) for v in r["landmarks5_xy"].split()))
        scene = demo.Scene(face, a.portraits, width, height, fps, 48, 9000 + 100 * k)
        forger = demo.Forger(family, k % 2 == 1, scene.fw, scene.fh, 9050 + 100 * k)
        real, fake = (demo.Encoder(f"{base}_{w}.{extension}", width, height, fps, options, 0) for w in ("real", f"fake_{family}"))
        for i in range(48):
            frame, marks = scene.render(i)
            real.write(frame)
            fake.write(forger.forge(frame, marks))
        real.close()
        fake.close()
        open(base + "_done", "w").close()
        print(base, flush=True)


if __name__ == "__main__":
    main()
