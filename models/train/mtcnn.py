"""MTCNN (Zhang et al. 2016) in PyTorch, from the float weights of the FaceNet implementation (det1..3.npy).

Those networks were trained on transposed pictures: their kernels are (x, y, in, out), so they are transposed once here
and the picture stays upright. Returns boxes x0 y0 x1 y1 with confidence, and five points as nodes/faces.h orders them
(image-left eye, image-right eye, nose, image-left and image-right corner of the mouth)."""
import os

import cv2
import numpy as np
import torch
import torch.nn.functional as F


def _load(path):
    layers = np.load(path, allow_pickle=True, encoding="latin1").item()
    out = {}
    for name, d in layers.items():
        out[name.lower()] = {k: torch.from_numpy(np.ascontiguousarray(
            v.transpose(3, 2, 1, 0) if v.ndim == 4 else v)).float() for k, v in d.items()}
    return out


def _conv(x, p, name, prelu=None):
    x = F.conv2d(x, p[name]["weights"], p[name]["biases"])
    return F.prelu(x, p[prelu]["alpha"]) if prelu else x


def _fc(x, p, name, prelu=None):
    x = x @ p[name]["weights"] + p[name]["biases"]
    return F.prelu(x, p[prelu]["alpha"]) if prelu else x


def _flat(x):
    return x.permute(0, 3, 2, 1).reshape(x.shape[0], -1)  # the transposed layout's order


def _pool(x, k):
    return F.max_pool2d(x, k, 2, ceil_mode=True)


def nms(boxes, scores, limit, by_min=False):
    order, keep = np.argsort(-scores, kind="stable"), []
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while len(order):
        i, rest = order[0], order[1:]
        keep.append(i)
        w = np.minimum(boxes[i, 2], boxes[rest, 2]) - np.maximum(boxes[i, 0], boxes[rest, 0])
        h = np.minimum(boxes[i, 3], boxes[rest, 3]) - np.maximum(boxes[i, 1], boxes[rest, 1])
        inter = np.maximum(w, 0) * np.maximum(h, 0)
        base = np.minimum(area[i], area[rest]) if by_min else area[i] + area[rest] - inter
        order = rest[inter / np.maximum(base, 1e-9) <= limit]
    return np.array(keep, int)


def _refine(boxes, reg):
    w, h = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    return boxes + reg * np.stack([w, h, w, h], 1)


def _square(boxes):
    side = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])[:, None]
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.hstack([centre - side / 2, centre + side / 2])


def _tensor(rgb):
    return torch.from_numpy(np.ascontiguousarray(rgb.transpose(0, 3, 1, 2))).float().sub_(127.5).mul_(1 / 128)


def _windows(rgb, boxes, side):
    out, (h, w) = np.zeros((len(boxes), side, side, 3), np.uint8), rgb.shape[:2]
    for i, (x0, y0, x1, y1) in enumerate(np.round(boxes).astype(int)):
        n = max(x1 - x0, 1)
        patch = np.zeros((n, n, 3), np.uint8)
        a, b, c, d = max(x0, 0), max(y0, 0), min(x0 + n, w), min(y0 + n, h)
        if c > a and d > b:
            patch[b - y0:d - y0, a - x0:c - x0] = rgb[b:d, a:c]
        out[i] = cv2.resize(patch, (side, side), interpolation=cv2.INTER_AREA)
    return _tensor(out)


class Mtcnn:
    def __init__(self, folder):
        self.p, self.r, self.o = (_load(os.path.join(folder, f"det{i}.npy")) for i in (1, 2, 3))

    def _candidates(self, rgb, min_face):
        h, w = rgb.shape[:2]
        scale, found = 12.0 / min_face, []
        while min(h, w) * scale >= 12:
            x = cv2.resize(rgb, (int(np.ceil(w * scale)), int(np.ceil(h * scale))), interpolation=cv2.INTER_AREA)
            x = _conv(_tensor(x[None]), self.p, "conv1", "prelu1")
            x = _conv(_conv(_pool(x, 2), self.p, "conv2", "prelu2"), self.p, "conv3", "prelu3")
            score = _conv(x, self.p, "conv4-1").softmax(1)[0, 1].numpy()
            reg = _conv(x, self.p, "conv4-2")[0].numpy()
            ys, xs = np.nonzero(score >= 0.6)
            if len(ys):
                corner = np.stack([xs, ys], 1) * 2.0
                box = np.hstack([corner / scale, (corner + 12) / scale])
                keep = nms(box, score[ys, xs], 0.5)
                found.append(np.hstack([_refine(box[keep], reg[:, ys[keep], xs[keep]].T), score[ys, xs][keep, None]]))
            scale *= 0.709
        if not found:
            return np.zeros((0, 4))
        found = np.vstack(found)
        return _square(found[nms(found[:, :4], found[:, 4], 0.7), :4])

    @torch.no_grad()
    def __call__(self, rgb, min_face=40, threshold=0.9, search_side=640):
        shrink = min(1.0, search_side / max(rgb.shape[:2]))
        small = rgb if shrink == 1 else cv2.resize(rgb, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        none = np.zeros((0, 5)), np.zeros((0, 5, 2))
        boxes = self._candidates(small, max(min_face * shrink, 12))
        if not len(boxes):
            return none
        x = _conv(_windows(small, boxes, 24), self.r, "conv1", "prelu1")
        x = _conv(_pool(x, 3), self.r, "conv2", "prelu2")
        x = _fc(_flat(_conv(_pool(x, 3), self.r, "conv3", "prelu3")), self.r, "conv4", "prelu4")
        score = _fc(x, self.r, "conv5-1").softmax(1)[:, 1].numpy()
        reg, ok = _fc(x, self.r, "conv5-2").numpy(), score >= 0.7
        if not ok.any():
            return none
        boxes, score, reg = boxes[ok], score[ok], reg[ok]
        keep = nms(boxes, score, 0.7)
        boxes = _square(_refine(boxes[keep], reg[keep]))
        x = _conv(_windows(small, boxes, 48), self.o, "conv1", "prelu1")
        x = _conv(_pool(x, 3), self.o, "conv2", "prelu2")
        x = _conv(_pool(x, 3), self.o, "conv3", "prelu3")
        x = _fc(_flat(_conv(_pool(x, 2), self.o, "conv4", "prelu4")), self.o, "conv5", "prelu5")
        score = _fc(x, self.o, "conv6-1").softmax(1)[:, 1].numpy()
        reg, pts, ok = _fc(x, self.o, "conv6-2").numpy(), _fc(x, self.o, "conv6-3").numpy(), score >= threshold
        if not ok.any():
            return none
        boxes, score, reg, pts = boxes[ok], score[ok], reg[ok], pts[ok]
        side = (boxes[:, 2:] - boxes[:, :2])[:, None, :]
        points = np.stack([pts[:, :5], pts[:, 5:]], 2) * side + boxes[:, None, :2]
        boxes = _refine(boxes, reg)
        keep = nms(boxes, score, 0.7, by_min=True)
        return np.hstack([boxes[keep] / shrink, score[keep, None]]), points[keep] / shrink


# ArcFace's 112 x 112 reference points (insightface), the template that nodes/crop.h names.
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


def template(side, margin):
    return (TEMPLATE * (side / 112.0) - side / 2.0) / margin + side / 2.0


def similarity(src, dst):
    """Umeyama 1991 without reflection: the 2 x 3 matrix that brings src closest to dst."""
    ms, md = src.mean(0), dst.mean(0)
    a, b = src - ms, dst - md
    n = (a * a).sum()
    c, s = (a * b).sum() / n, (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / n
    m = np.array([[c, -s], [s, c]])
    return np.hstack([m, (md - m @ ms)[:, None]])


def align(rgb, points, side, margin):
    m = similarity(np.asarray(points, float), template(side, margin))
    scale = np.hypot(m[0, 0], m[1, 0])
    if scale < 0.5:  # shrink first, so that nothing aliases
        f = max(2 * scale, 0.05)
        rgb = cv2.resize(rgb, None, fx=f, fy=f, interpolation=cv2.INTER_AREA)
        m[:, :2] /= f
    return cv2.warpAffine(rgb, m, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
