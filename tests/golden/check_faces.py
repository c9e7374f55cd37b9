#!/usr/bin/env python3
"""Compares fakesift's face search with plain Python implementations on frames of the smoke corpus.

    check_faces.py mtcnn|yunet|ultraface|blazeface|blazeface-full RUNNER CORPUS_FOLDER [--frames N] [--verbose]

RUNNER is faces_of_rgb; the detectors are those installed in fakesift's cache ($FAKESIFT_CACHE and so on). Both
sides get the same RGB pixels. The MTCNN here follows the steps of the authors' code as facenet and facenet-pytorch
have them (rounded boxes, counting from one, cv2's INTER_AREA); networks run in PyTorch. UltraFace is decoded as its
authors' box_utils.py does (priors listed first, corner boxes in shares of the picture, hard suppression), BlazeFace as
MediaPipe's calculators do (anchors by stride, scores clipped, weighted suppression). A detection agrees when both sides
have a box with IoU >= 0.9. Exit status: 0 at 99 % or more, 1 below, 77 where the corpus or the networks
are absent."""
import argparse
import os
import subprocess
import sys

STRIDE_OF_CLIPS = 12
SEARCH_SIDE, MIN_FACE, THRESHOLD = 640, 40, 0.9
BLAZEFACE_THRESHOLD = 0.6  # MediaPipe's for the full range, whose scores are lower


def skip(why):
    print("skipped:", why)
    sys.exit(77)


try:
    import cv2
    import numpy as np
    import torch
    from onnx_torch import Network
except ImportError as why:
    skip("needs python3-torch, python3-onnx, python3-opencv (%s)" % why)


def frames_of(path, count):
    """The first of every STRIDE_OF_CLIPS frames as upright RGB, at most count."""
    select = "select=not(mod(n\\,%d))" % STRIDE_OF_CLIPS
    data = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-vf", select, "-vsync", "0", "-frames:v", str(count),
                           "-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "-"],
                          check=True, stdout=subprocess.PIPE).stdout
    frames = []
    while data:
        fields = data[:64].split(None, 4)
        width, height = int(fields[1]), int(fields[2])
        begin = data.index(b"255") + 4
        end = begin + width * height * 3
        frames.append(np.frombuffer(data[begin:end], np.uint8).reshape(height, width, 3))
        data = data[end:]
    return frames


def run_fakesift(runner, card, frames):
    height, width = frames[0].shape[:2]
    out = subprocess.run([runner, card, str(width), str(height), "search=%d" % SEARCH_SIDE, "min_face=%d" % MIN_FACE,
                          "threshold=%g" % THRESHOLD], input=b"".join(f.tobytes() for f in frames), check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
    result = []
    for line in out.splitlines():
        fields = line.split()
        if fields[0] == "frame":
            result.append([])
        else:
            values = [float(v) for v in fields[1:]]
            result[-1].append({"score": values[0], "box": values[1:5], "points": np.array(values[5:]).reshape(5, 2)})
    return result


def nms(boxes, scores, limit, smaller=False):
    """Boxes as pixel indices, both ends included, as in the authors' code."""
    x1, y1, x2, y2 = boxes.T
    area = (x2 - x1 + 1) * (y2 - y1 + 1)
    order = np.argsort(scores, kind="stable")
    keep = []
    while len(order):
        i = order[-1]
        keep.append(i)
        rest = order[:-1]
        w = np.maximum(0, np.minimum(x2[i], x2[rest]) - np.maximum(x1[i], x1[rest]) + 1)
        h = np.maximum(0, np.minimum(y2[i], y2[rest]) - np.maximum(y1[i], y1[rest]) + 1)
        both = w * h
        whole = np.minimum(area[i], area[rest]) if smaller else area[i] + area[rest] - both
        order = rest[both / whole <= limit]
    return np.array(keep, int)


def to_tensor(pictures):
    x = np.stack(pictures).astype(np.float32)
    return torch.from_numpy((x - 127.5) * 0.0078125).permute(0, 3, 1, 2).contiguous()


class Mtcnn:
    def __init__(self, folder):
        self.pnet, self.rnet, self.onet = (Network(os.path.join(folder, f + ".onnx")) for f in ("pnet", "rnet", "onet"))

    def proposals(self, picture, min_face):
        height, width = picture.shape[:2]
        scale, boxes, scores, regs = 12 / max(min_face, 12), [], [], []
        while min(height, width) * scale >= 12:
            size = int(np.ceil(width * scale)), int(np.ceil(height * scale))
            out = self.pnet(to_tensor([cv2.resize(picture, size, interpolation=cv2.INTER_AREA)]))
            prob, reg = out["prob"][0, 1].numpy(), out["reg"][0].numpy()
            y, x = np.nonzero(prob >= 0.6)
            if len(y):
                at = np.stack([x, y], 1).astype(np.float64)
                b = np.hstack([np.floor((2 * at + 1) / scale), np.floor((2 * at + 12) / scale)])
                keep = nms(b, prob[y, x], 0.5)
                boxes.append(b[keep])
                scores.append(prob[y, x][keep])
                regs.append(reg[:, y, x].T[keep])
            scale *= 0.709
        if not boxes:
            return np.zeros((0, 4))
        boxes, scores, regs = np.concatenate(boxes), np.concatenate(scores), np.concatenate(regs)
        keep = nms(boxes, scores, 0.7)
        boxes, regs = boxes[keep], regs[keep]
        size = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        return self.square(boxes + regs * size)

    @staticmethod
    def square(boxes):
        size = boxes[:, 2:] - boxes[:, :2]
        side = size.max(1, keepdims=True)
        corner = boxes[:, :2] + size * 0.5 - side * 0.5
        return np.fix(np.hstack([corner, corner + side]))

    @staticmethod
    def crops(picture, boxes, side):
        """Boxes count from one, both ends included; black outside."""
        height, width = picture.shape[:2]
        out = []
        for x1, y1, x2, y2 in boxes.astype(int):
            crop = np.zeros((y2 - y1 + 1, x2 - x1 + 1, 3), np.uint8)
            ax, ay, bx, by = max(x1, 1), max(y1, 1), min(x2, width), min(y2, height)
            if bx >= ax and by >= ay:
                crop[ay - y1:by - y1 + 1, ax - x1:bx - x1 + 1] = picture[ay - 1:by, ax - 1:bx]
            out.append(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA))
        return to_tensor(out)

    def __call__(self, picture, min_face):
        boxes = self.proposals(picture, min_face)
        if len(boxes):
            out = self.rnet(self.crops(picture, boxes, 24))
            score = out["prob"][:, 1].numpy()
            good = score >= 0.7
            boxes, score, reg = boxes[good], score[good], out["reg"].numpy()[good]
            keep = nms(boxes, score, 0.7)
            boxes, reg = boxes[keep], reg[keep]
            boxes = self.square(boxes + reg * np.tile(boxes[:, 2:] - boxes[:, :2] + 1, 2))
        if not len(boxes):
            return []
        out = self.onet(self.crops(picture, boxes, 48))
        score = out["prob"][:, 1].numpy()
        good = score >= THRESHOLD
        boxes, score, reg, relative = boxes[good], score[good], out["reg"].numpy()[good], out["points"].numpy()[good]
        size = boxes[:, 2:] - boxes[:, :2] + 1
        points = np.stack([relative[:, :5] * size[:, :1] + boxes[:, :1] - 1,
                           relative[:, 5:] * size[:, 1:] + boxes[:, 1:2] - 1], 2)
        boxes = boxes + reg * np.tile(size, 2)
        # Back from counting from one with both ends included to edges.
        return [{"score": float(score[i]), "box": [boxes[i, 0] - 1, boxes[i, 1] - 1, boxes[i, 2], boxes[i, 3]],
                 "points": points[i]} for i in nms(boxes, score, 0.7, smaller=True)]


class Yunet:
    def __init__(self, folder):
        self.network = Network(os.path.join(folder, "yunet.onnx"))

    def __call__(self, picture, min_face):
        height, width = picture.shape[:2]
        padded = np.zeros(((height + 31) // 32 * 32, (width + 31) // 32 * 32, 3), np.float32)
        padded[:height, :width] = picture[:, :, ::-1]
        out = self.network(torch.from_numpy(padded.transpose(2, 0, 1)[None].copy()))
        boxes, scores, points = [], [], []
        for stride in (8, 16, 32):
            cls, obj, bbox, kps = (out["%s_%d" % (n, stride)][0].numpy() for n in ("cls", "obj", "bbox", "kps"))
            columns = padded.shape[1] // stride
            grid = np.stack([np.arange(len(cls)) % columns, np.arange(len(cls)) // columns], 1)
            centre, size = (grid + bbox[:, :2]) * stride, np.exp(bbox[:, 2:]) * stride
            boxes.append(np.hstack([centre - size / 2, centre + size / 2]))
            scores.append(np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1)))
            points.append((grid[:, None] + kps.reshape(-1, 5, 2)) * stride)
        boxes, scores, points = np.concatenate(boxes), np.concatenate(scores), np.concatenate(points)
        good = scores >= THRESHOLD
        boxes, scores, points = boxes[good], scores[good], points[good]
        ends = boxes - np.array([0, 0, 1, 1])  # nms counts both ends in
        return [{"score": float(scores[i]), "box": list(boxes[i]), "points": points[i]} for i in nms(ends, scores, 0.3)]


class Ultraface:
    limit = 320, 240

    def __init__(self, folder):
        self.network = Network(os.path.join(folder, "ultraface.onnx"))
        sides = np.array(self.limit, np.float64)
        priors = []
        for stride, sizes in ((8, (10, 16, 24)), (16, (32, 48)), (32, (64, 96)), (64, (128, 192, 256))):
            columns, rows = (int(np.ceil(side / stride)) for side in self.limit)
            for row in range(rows):
                for column in range(columns):
                    for size in sizes:
                        priors.append([*((np.array([column, row]) + 0.5) / (sides / stride)), *(size / sides)])
        self.priors = np.clip(np.array(priors), 0, 1)

    def __call__(self, picture, min_face):
        padded = np.zeros((240, 320, 3), np.float32)
        padded[:picture.shape[0], :picture.shape[1]] = picture
        out = self.network(torch.from_numpy(((padded - 127) / 128).transpose(2, 0, 1)[None].copy()))
        scores, raw = out["scores"][0, :, 1].numpy(), out["boxes"][0].numpy().astype(np.float64)
        centre = raw[:, :2] * 0.1 * self.priors[:, 2:] + self.priors[:, :2]
        size = np.exp(raw[:, 2:] * 0.2) * self.priors[:, 2:]
        boxes = np.hstack([centre - size / 2, centre + size / 2]) * np.array([320, 240, 320, 240])
        good = scores > THRESHOLD
        boxes, scores = boxes[good], scores[good]
        ends = boxes - np.array([0, 0, 1, 1])
        return [{"score": float(scores[i]), "box": list(boxes[i]), "points": np.zeros((5, 2))}
                for i in nms(ends, scores, 0.3)]


class Blazeface:
    def __init__(self, folder):
        self.network = Network(os.path.join(folder, "blazeface.onnx"))
        full = folder.endswith("-full")
        self.side = 192 if full else 128
        self.limit = self.side, self.side
        # SsdAnchorsCalculator with fixed sizes: layers of one stride share a grid; two anchors a layer where scales
        # between two layers are interpolated.
        layers = [(4, 1)] if full else [(8, 2), (16, 6)]
        self.anchors = np.array([[(x + 0.5) * stride, (y + 0.5) * stride] for stride, each in layers
                                 for y in range(self.side // stride) for x in range(self.side // stride)
                                 for _ in range(each)])

    def __call__(self, picture, min_face):
        height, width = picture.shape[:2]
        left, top = (self.side - width) // 2, (self.side - height) // 2
        padded = np.zeros((self.side, self.side, 3), np.float32)
        padded[top:top + height, left:left + width] = picture
        out = self.network(torch.from_numpy((padded / 127.5 - 1).transpose(2, 0, 1)[None].copy()))
        rows = out["boxes"][0].numpy().astype(np.float64)
        scores = 1 / (1 + np.exp(-np.clip(out["scores"][0, :, 0].numpy().astype(np.float64), -100, 100)))
        good = scores >= THRESHOLD
        rows, scores, anchors = rows[good], scores[good], self.anchors[good]
        centre = rows[:, :2] + anchors
        points = rows[:, 4:].reshape(-1, 6, 2) + anchors[:, None]
        values = np.concatenate([centre - rows[:, 2:4] / 2, centre + rows[:, 2:4] / 2, points.reshape(-1, 12)], 1)
        values -= np.tile([left, top], 8)
        order, faces = list(np.argsort(-scores, kind="stable")), []
        while order:
            near = [i for i in order if i == order[0] or iou(values[order[0]][:4], values[i][:4]) > 0.3]
            blend = (values[near] * scores[near, None]).sum(0) / scores[near].sum()
            six = blend[4:].reshape(6, 2)
            faces.append({"score": float(scores[order[0]]), "box": list(blend[:4]), "points": six[[0, 1, 2, 3, 3]]})
            order = [i for i in order if i not in near]
        return faces


def search(finder, frame):
    height, width = frame.shape[:2]
    scale = min(1.0, SEARCH_SIDE / max(width, height))
    if hasattr(finder, "limit"):
        scale = min(scale, finder.limit[0] / width, finder.limit[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = frame if size == (width, height) else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    back = np.array([width / size[0], height / size[1]])
    faces = finder(picture, MIN_FACE * scale)
    for f in faces:
        f["box"] = list(np.array(f["box"]) * np.tile(back, 2))
        f["points"] = f["points"] * back
    faces = [f for f in faces if min(f["box"][2] - f["box"][0], f["box"][3] - f["box"][1]) >= MIN_FACE]
    return sorted(faces, key=lambda f: -f["score"])[:16]


def iou(a, b):
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)


def match(ours, theirs):
    """Pairs with IoU >= 0.9, the largest first."""
    pairs = sorted(((iou(a["box"], b["box"]), i, k) for i, a in enumerate(ours) for k, b in enumerate(theirs)),
                   reverse=True)
    used_i, used_k, out = set(), set(), []
    for overlap, i, k in pairs:
        if overlap >= 0.9 and i not in used_i and k not in used_k:
            used_i.add(i)
            used_k.add(k)
            out.append((overlap, ours[i], theirs[k]))
    return out


def cache_folder():
    """As models/detector.h says."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.environ.get("FAKESIFT_CACHE") or os.path.join(base, "fakesift")


FINDERS = {"mtcnn": Mtcnn, "yunet": Yunet, "ultraface": Ultraface, "blazeface": Blazeface, "blazeface-full": Blazeface}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("architecture", choices=sorted(FINDERS))
    parser.add_argument("runner")
    parser.add_argument("corpus")
    parser.add_argument("--frames", type=int, default=10, help="of a clip")
    parser.add_argument("--verbose", action="store_true", help="prints what disagrees")
    args = parser.parse_args()
    cache = cache_folder()
    folder = os.path.join(cache, args.architecture)
    card = os.path.join(folder, "card.json")
    if not os.path.isfile(card):
        skip("%s is not installed in %s" % (args.architecture, cache))
    if not os.path.isdir(args.corpus):
        skip("no corpus at %s" % args.corpus)
    torch.set_num_threads(1)
    if args.architecture.startswith("blazeface"):
        global THRESHOLD
        THRESHOLD = BLAZEFACE_THRESHOLD
    finder = FINDERS[args.architecture](folder)
    clips = sorted(os.path.join(base, name) for base, _, names in os.walk(args.corpus) for name in names)
    n_frames = n_with_face = n_ours = n_theirs = 0
    matched = []
    for clip in clips:
        frames = frames_of(clip, args.frames)
        ours = run_fakesift(args.runner, card, frames)
        if clip in clips[:3] and repr(run_fakesift(args.runner, card, frames[::-1])) != repr(ours[::-1]):
            print("%s: the faces of a frame depend on the frames before it" % clip)
            sys.exit(1)
        for i, frame in enumerate(frames):
            theirs = search(finder, frame)
            found = match(ours[i], theirs)
            n_frames += 1
            n_with_face += bool(ours[i])
            n_ours += len(ours[i])
            n_theirs += len(theirs)
            matched += found
            if args.verbose and not len(found) == len(ours[i]) == len(theirs):
                print(os.path.basename(clip), i)
                for who, faces in (("  ours  ", ours[i]), ("  theirs", theirs)):
                    for f in faces:
                        print(who, "%.4f" % f["score"], *("%.1f" % v for v in f["box"]))
    if not n_theirs or n_frames < 20:
        print("too little to compare: %d frames, %d faces" % (n_frames, n_theirs))
        sys.exit(1)
    agreement = 2 * len(matched) / (n_ours + n_theirs)
    overlaps = np.array([m[0] for m in matched])
    apart = np.array([np.abs(a["points"] - b["points"]).max() / (a["box"][2] - a["box"][0]) for _, a, b in matched])
    scores = np.array([abs(a["score"] - b["score"]) for _, a, b in matched])
    print("%s: %d frames, %d with a face; faces: %d here, %d in the reference, %d agree (IoU >= 0.9): %.2f %%" %
          (args.architecture, n_frames, n_with_face, n_ours, n_theirs, len(matched), 100 * agreement))
    print("IoU: least %.4f, mean %.4f; landmarks apart, in box widths: 99th percentile %.4f; score apart: %.4f" %
          (overlaps.min(), overlaps.mean(), np.percentile(apart, 99), np.percentile(scores, 99)))
    sys.exit(0 if agreement >= 0.99 and np.percentile(apart, 99) < 0.05 else 1)


main()
