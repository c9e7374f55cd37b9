"""The engine's outputs of the detector that comes with fakesift beside PyTorch's of the same weights, on synthetic input:
check_trained.py FAKESIFT CARD_FOLDER GOLDEN.json TRAIN_FOLDER (export.py wrote GOLDEN)."""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

fakesift, card, golden, train = sys.argv[1:]
sys.path.insert(0, train)
try:
    import export
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

want = json.load(open(golden))
with tempfile.TemporaryDirectory() as folder:
    for name, x in (("frame", export.pictures(3)), ("temporal", export.sequences(2))):
        i, o = (os.path.join(folder, f"{name}.{s}.npy") for s in ("in", "out"))
        np.save(i, x)
        subprocess.run([fakesift, "models", "run", os.path.join(card, name + ".onnx"), "--input", i, "--output", o], check=True)
        off = np.abs(np.load(o) - np.array(want[name])) / np.maximum(1, np.abs(want[name]))
        print(f"{name}: {off.size} values, worst difference {off.max():.2g}")
        if off.max() > 1e-4:
            sys.exit(f"check_trained: {name}.onnx: the engine is off by {off.max():.3g}, the limit is 1e-4")
