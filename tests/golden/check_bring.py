#!/usr/bin/python3
"""The cards that wait for a user's weights, end to end: export, models add, run, against Python.

    check_bring.py FAKESIFT FACES_OF_RGB SOURCE_FOLDER [NAME...]

For each card the network of bring_networks.py with random weights is exported by PyTorch and installed by `fakesift models add`; a clip is
scored by `fakesift run`; and the same clip is scored here: ffmpeg decodes it, numpy does the card's sampling, crop and normalisation as the
published code would (linspace, windows of consecutive frames, boxes, templates, the level of the eyes, grey), PyTorch runs the network, numpy
puts the scores together. Faces and their points come from faces_of_rgb, which check_faces.py holds against other implementations. The clip with a
face is cut from ../shared/corpus; without it the cards that look at faces are skipped. Exit status 77: all were. Without names: those of
bring_networks.NAMES; what is known of the others stands there.
"""
import csv
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch

import bring_networks

TOLERANCE = 1e-4
WIDTH, HEIGHT, FPS, FRAMES = 480, 360, 25, 50
ARCFACE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
POINTS = ["right_eye", "left_eye", "nose", "right_mouth", "left_mouth"]


def make_clips(folder, corpus):
    """With a face where there is one to be had; and one without, which tells a wrong score from a right one by its content."""
    os.makedirs(folder)
    encode = ["-r", str(FPS), "-frames:v", str(FRAMES), "-an", "-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p", "-threads", "1"]
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size={WIDTH}x{HEIGHT}:rate={FPS}",
                    *encode, f"{folder}/pattern.mp4"], check=True)
    face = os.path.join(corpus, "liveportrait_driving_d0.mp4")
    if os.path.exists(face):
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", face, "-vf",
                        f"scale={WIDTH}:{WIDTH},crop={WIDTH}:{HEIGHT}:0:30,setsar=1", *encode, f"{folder}/face.mp4"], check=True)
    return os.path.exists(face)


def frames_of(path):
    raw = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-vf",
                          "scale=flags=bilinear+accurate_rnd+full_chroma_int+bitexact,format=rgb24", "-f", "rawvideo", "-"],
                         check=True, stdout=subprocess.PIPE).stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)
    assert len(frames) == FRAMES
    return frames


def faces_in(frames, tool, card):
    """The one face of each frame: box and points as 14 numbers; the clip shows one person throughout."""
    out = subprocess.run([tool, card, str(WIDTH), str(HEIGHT)], input=frames.tobytes(), check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode().split("\n")
    faces = []
    for line in out:
        words = line.split()
        if words and words[0] == "frame":
            faces.append([])
        elif words and words[0] == "face":
            faces[-1].append(np.array([float(w) for w in words[2:16]], np.float32))
    assert [len(f) for f in faces] == [1] * len(frames), [len(f) for f in faces]
    return [f[0] for f in faces]


def clips_of(sampling):
    """Numbers of the frames of each clip."""
    n, last = sampling["frames"], FRAMES - 1
    if sampling["mode"] == "all":
        hop = max(1, round(n * (1 - sampling["overlap"])))
        starts = range(0, max(FRAMES - n, 0) + hop, hop)
        return [list(range(s, min(s + n, FRAMES))) for s in starts if s < FRAMES]
    if sampling.get("ends"):
        return [list(dict.fromkeys(np.linspace(0, last, n, endpoint=True, dtype=int)))]
    if sampling.get("stride_frames"):
        start = round(min(last / 2 - n / 2, last - n))  # to even, as numbers of frames
        return [list(range(max(start, 0), min(max(start, 0) + n, FRAMES)))]
    return [list(dict.fromkeys(int(np.ceil((i + 0.5) * last / n - 1e-9)) for i in range(n)))]


def transform(crop, face):
    """2 x 3 from the crop's pixels to the frame's."""
    w, h, margin = crop["width_px"], crop["height_px"], crop.get("margin", 1.3)
    box, p = face[:4].astype(float), face[4:].astype(float).reshape(5, 2)
    if crop.get("alignment", "box") == "box":
        sides = np.array([box[2] - box[0], box[3] - box[1]])
        if crop.get("square", True):
            sides[:] = sides.max()
        sides *= margin
        corner = (box[:2] + box[2:]) / 2 - sides / 2
        return np.array([[sides[0] / w, 0, corner[0]], [0, sides[1] / h, corner[1]]])
    if crop["alignment"] == "eyes":
        at = {"right_eye": p[0], "left_eye": p[1], "mouth": (p[3] + p[4]) / 2, "between_eyes": (p[0] + p[1]) / 2}[crop["region"]]
        along = p[1] - p[0]
        columns = np.stack([along * crop["reach_x"] * margin / w, np.array([-along[1], along[0]]) * crop["reach_y"] * margin / h], axis=1)
        return np.concatenate([columns, (at - columns @ [w / 2, h / 2])[:, None]], axis=1)
    target = ARCFACE * min(w, h) / 112
    if "template" in crop:
        target = np.array([crop["template"][k] for k in POINTS])
        target = (target - [w / 2, h / 2]) / margin + [w / 2, h / 2]
    else:
        target = (target - min(w, h) / 2) / margin + [w / 2, h / 2]
    # Least squares of a similarity, as a linear system in a, b and the shift.
    rows, values = [], []
    for (x, y), (u, v) in zip(p, target):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        values += [u, v]
    a, b, c, d = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
    forth = np.array([[a, -b, c], [b, a, d], [0, 0, 1]])
    return np.linalg.inv(forth)[:2]


def bilinear(picture, x, y):
    """Values at points of [i, i + 1) pixels; black outside. Weights in 1/2048, as nodes/image.c counts."""
    fx, fy = (np.floor((np.clip(v, -2, s + 2) - 0.5) * 2048 + 0.5).astype(int) for v, s in ((x, WIDTH), (y, HEIGHT)))
    x0, y0, right, below = fx >> 11, fy >> 11, fx & 2047, fy & 2047
    padded = np.pad(picture.astype(np.int64), ((4, 5), (4, 5), (0, 0)))
    pick = lambda dy, dx: padded[y0 + dy + 4, x0 + dx + 4]
    return ((2048 - below)[..., None] * ((2048 - right)[..., None] * pick(0, 0) + right[..., None] * pick(0, 1)) +
            below[..., None] * ((2048 - right)[..., None] * pick(1, 0) + right[..., None] * pick(1, 1))) / 2048 ** 2


def area_weights(start, step, n, size):
    """n x size: the share of each source pixel in each output pixel."""
    edges = start + step * np.arange(n + 1)
    i = np.arange(size)
    covered = np.minimum(edges[1:, None], i + 1) - np.maximum(edges[:-1, None], i)
    return np.maximum(covered, 0) / step


def warp(picture, m, w, h):
    if m[0, 1] == 0 and m[1, 0] == 0 and m[0, 0] > 2 and m[1, 1] > 2:
        across, down = area_weights(m[0, 2], m[0, 0], w, WIDTH), area_weights(m[1, 2], m[1, 1], h, HEIGHT)
        return np.floor(np.einsum("vy,yxc,ux->vuc", down, picture.astype(float), across, optimize=True) + 0.5).astype(np.uint8)
    nu, nv = (max(3, int(np.ceil(s))) if s > 2 else 1 for s in (np.hypot(*m[:, 0]), np.hypot(*m[:, 1])))
    total = 0
    for j in range(nv):
        for i in range(nu):
            u, v = np.meshgrid(np.arange(w) + (i + 0.5) / nu, np.arange(h) + (j + 0.5) / nv)
            total = total + bilinear(picture, m[0, 0] * u + m[0, 1] * v + m[0, 2], m[1, 0] * u + m[1, 1] * v + m[1, 2])
    return np.floor(total / (nu * nv) + 0.5).astype(np.uint8)


def resize(picture, w, h):
    """Whole frames: area average along an axis that shrinks."""
    assert w <= WIDTH and h <= HEIGHT
    across, down = area_weights(0, WIDTH / w, w, WIDTH), area_weights(0, HEIGHT / h, h, HEIGHT)
    return np.floor(np.einsum("vy,yxc,ux->vuc", down, picture.astype(float), across, optimize=True) + 0.5).astype(np.uint8)


def tensor_of(card, patches):
    """[frames, channels, H, W]"""
    t = card["tensor"]
    x = np.stack(patches).astype(np.float64)
    if t["order"] == "grey":
        x = np.floor((x @ [19595, 38470, 7471] + 32768) / 65536)[..., None]
    elif t["order"] == "bgr":
        x = x[..., ::-1]
    c = x.shape[-1]
    x = (x * t["scale"] - np.array(t.get("mean", [0] * 3))[:c]) / np.array(t.get("deviation", [1] * 3))[:c]
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2), np.float32))


def patches_of(card, frames, faces, numbers):
    if card["input"] == "frames":
        return [resize(frames[i], card["crop"]["width_px"], card["crop"]["height_px"]) for i in numbers]
    patches, before, keep = [], None, card["face"].get("smooth", 0)
    for i in numbers:
        face = faces[i] if before is None else before + np.float32(1 - keep) * (faces[i] - before)
        before = face
        patches.append(warp(frames[i], transform(card["crop"], face), card["crop"]["width_px"], card["crop"]["height_px"]))
    return patches


def together(rule, p):
    if rule == "mean_logit":
        return 1 / (1 + np.exp(-np.mean(np.log(p) - np.log1p(-p))))
    return np.mean(p >= 0.5) if rule == "share" else np.mean(p)


def inputs_of(card, frames, faces):
    """The network's input of each clip that is long enough."""
    clips = []
    for numbers in clips_of(card["sampling"]):
        if len(numbers) < card["sampling"].get("min_frames", 1):
            continue
        x = tensor_of(card, patches_of(card, frames, faces, numbers))
        if "joint" in card["networks"]:
            n = card["sampling"]["frames"]
            x = x[[t * len(x) // n for t in range(n)]][None]
            x = x.transpose(1, 2) if card["tensor"]["layout"] == "ncthw" else x
        clips.append(x)
    return clips


def probabilities(card, y):
    o = card["output"]
    y = y.double().reshape(-1, o.get("classes", 1))
    if o["meaning"] == "softmax":
        y = torch.softmax(y, dim=1)
    elif o["meaning"] == "logit":
        y = torch.sigmoid(y)
    return y[:, o.get("fake_index", 0)].numpy()


def spread(card, module, clips):
    """Moves and scales the last layer so that the clips' scores lie apart and nowhere near 0 or 1. With few values (a clip) by hand."""
    last = [m for m in module.modules() if isinstance(m, torch.nn.Linear)][-1]
    with torch.no_grad():
        y = torch.cat([module(c).reshape(-1, last.out_features) for c in clips])
        if isinstance([m for m in module.modules()][-1], torch.nn.Sigmoid):
            y = torch.logit(y)
        mean, width = y.mean(0), y.std() if len(y) > 1 else y.abs().max()
        gain = 0.5 / max(float(width), 1e-6)
        last.weight *= gain
        last.bias.copy_((last.bias - mean) * gain + torch.linspace(0.3, -0.2, last.out_features))


def scores(card, module, clips):
    with torch.no_grad():
        of_clips = [together(card["aggregation"].get("frames", "mean"), probabilities(card, module(c))) for c in clips]
    return together(card["aggregation"].get("clips", "mean"), np.array(of_clips))


def check(name, fakesift, source, work, clips, faces):
    with open(f"{source}/models/cards/{name}/card.json") as f:
        card = json.load(f)
    module, shape = bring_networks.make(name)
    inputs = {clip: inputs_of(card, frames, faces.get(clip)) for clip, frames in clips.items()
              if card["input"] == "frames" or clip in faces}
    first = [c for x in inputs.values() for c in x]
    bring_networks.calibrate(module, torch.cat(first[:4])[:6])
    spread(card, module, first)
    bring_networks.export(module, shape, f"{work}/{name}.onnx")
    subprocess.run([fakesift, "models", "add", name, f"{work}/{name}.onnx"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([fakesift, "run", f"{work}/videos", "--detector", name, "-o", f"{work}/run-{name}", "-q", "--lanes", "1"], check=True,
                   stdout=subprocess.DEVNULL)
    with open(f"{work}/run-{name}/scores.csv", newline="") as f:
        rows = {os.path.splitext(r["path"])[0]: r for r in csv.DictReader(f)}
    worst = 0
    for clip, x in inputs.items():
        want, got = scores(card, module, x), float(rows[clip]["p_fake"])
        worst = max(worst, abs(got - want))
        print(f"{name}, {clip}: fakesift {got:.6f}, Python {want:.6f}, {len(x)} clip{'s' * (len(x) != 1)}")
    for clip in set(clips) - set(inputs):
        assert rows[clip]["outcome"] == "no_face", rows[clip]
    os.remove(f"{work}/{name}.onnx")
    print(f"{'ok  ' if worst <= TOLERANCE else 'FAIL'} {name}: off by {worst:.1e} at the most, allowed {TOLERANCE:.0e}", flush=True)
    return worst <= TOLERANCE


def main():
    fakesift, tool, source, *names = sys.argv[1:]
    corpus = os.path.join(source, "../shared/corpus/smoke/real")
    good, skipped = True, 0
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="fakesift-bring-") as work:
        os.environ["FAKESIFT_CACHE"] = f"{work}/cache"
        has_face = make_clips(f"{work}/videos", corpus)
        got_mtcnn = subprocess.run([fakesift, "models", "fetch", "mtcnn"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   check=False).returncode == 0
        clips = {n[:-4]: frames_of(f"{work}/videos/{n}") for n in sorted(os.listdir(f"{work}/videos"))}
        faces = {"face": faces_in(clips["face"], tool, f"{work}/cache/mtcnn/card.json")} if has_face and got_mtcnn else {}
        names = names or bring_networks.NAMES
        for name in names:
            if name != "guera-delp" and not faces:
                print(f"skip {name}: {'mtcnn cannot be fetched' if has_face else f'no corpus at {corpus}'}")
                skipped += 1
                continue
            good &= check(name, fakesift, source, work, clips, faces)
    sys.stdout.flush()
    sys.exit(77 if skipped and skipped == len(names) else 0 if good else 1)


if __name__ == "__main__":
    main()
