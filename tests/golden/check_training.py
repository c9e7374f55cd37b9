"""The training recipe on synthetic clips, in seconds: shapes, repeatability, and that nothing but the manipulation tells a
fake from its real. check_training.py TRAIN_FOLDER"""
import os
import sys
import tempfile

sys.path.insert(0, sys.argv[1])
try:
    import numpy as np
    import torch

    import blends
    import chain
    import export
    import makers
    import network
    import source
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

torch.set_num_threads(1)
T, WIDE = 4, blends.WIDE


def clip(seed):
    """A smooth picture that moves a little."""
    rng = np.random.default_rng(seed)
    still = np.dstack([blends.smooth_noise(rng, (WIDE, WIDE), 12, 60) + 128 for _ in range(3)])
    return blends.still_to_clip(rng, np.clip(still, 0, 255).astype(np.uint8), T)


def check(what, ok):
    print(("ok   " if ok else "FAIL ") + what)
    if not ok:
        sys.exit(1)


torch.manual_seed(1)
drawers = [(makers.Maker(kind).eval(), side) for kind, side in makers.KINDS.items()]
a, b = clip(1), clip(2)
for k in range(24):
    donor, own = (b if k % 3 == 1 else None), (drawers if k % 2 else None)
    x, y = (blends.blend(np.random.default_rng(k), a, donor, own) for _ in range(2))
    if x.shape != a.shape or x.dtype != np.uint8 or not (x == y).all() or (x == a).all():
        check(f"blend {k}: shape {x.shape}, repeats {(x == y).all()}, changes {(x != a).any()}", False)
check("24 blends keep the shape, repeat with their seed and change the clip", True)

fake = blends.blend(np.random.default_rng(3), a)
one, two = (chain.through(np.random.default_rng(5), [(a, fake), (b, b)]) for _ in range(2))
check("a sheet has the stored shape", one.shape == (2, 2, T, chain.STORE, chain.STORE, 3))
check("a sheet repeats with its seed, its codec too", (one == two).all())
plain = chain.codec
chain.codec = lambda rng: []
same = chain.through(np.random.default_rng(6), [(a, a), (b, b)])
check("real and fake of a pair pass the same chain: equal clips stay equal", (same[:, 0] == same[:, 1]).all())
chain.codec = plain
for options in (chain.codec(np.random.default_rng(k)) for k in range(12)):
    if chain.encode(a, options).shape != a.shape:
        check(f"{options}: frames are kept", False)
check("every codec gives back each frame", True)

with tempfile.TemporaryDirectory() as work:
    for name in ("real", "fake"):
        np.save(os.path.join(work, name + ".npy"), np.zeros((40, 2, 4, 4, 3), np.uint8))
        with open(os.path.join(work, name + ".csv"), "w") as f:
            f.write("path,clip\n" + "".join(f"{'maker/' if name == 'fake' else ''}{k}.mp4,0\n" for k in range(40)))
    rows = source.Clips(work, ["real", "fake"]).rows
    of = {(r["group"], r["label"]): r["split"] for r in rows}
    check("a fake and its original are in one split", all(of[str(k), 0] == of[str(k), 1] for k in range(40)))
    check("some groups train and some are held out", {"train", "groups", "last"} == set(of.values()))

frame, temporal = network.Frame().eval(), network.Temporal().eval()
with torch.no_grad():
    x = frame(torch.from_numpy(export.pictures(3)))
    check("the frame network gives features and a logit", x.shape == (3, network.FEATURES + 1))
    check("untrained, the temporal network is the mean of the frames", torch.allclose(temporal(x[None])[0, 0], x[:, -1].mean()))
