"""The pipeline that people write in Python, tuned as they would: what bench/corpus measures fakesift against.

    pipeline.py FOLDER OUT.csv --card CARD.json --yunet FILE.onnx [--processes N]

One process a core takes files from a queue. OpenCV decodes: grab() every frame up to the last wanted one, retrieve() those that
are wanted. YuNet searches all of a clip's frames in one batch in PyTorch, cv2 cuts the crops, PyTorch runs the frame network
on all crops in one batch and the recurrent network behind it. Networks are fused and frozen by TorchScript, in
channels_last, one thread each. Sampling, search side, threshold, crop and normalisation are the card's, which is one of
bench/clip_detector.py's (a CNN and a GRU with random weights) or Meso4's. Out: path,p_fake a line; p_fake is empty where no frame has a face.
"""
import argparse
import csv
import ctypes
import json
import math
import multiprocessing
import os
import subprocess
import sys
import time

os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "threads;1"
os.environ["OMP_NUM_THREADS"] = "1"

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "../../tests/golden")]
import clip_detector  # noqa: E402
from onnx_torch import Network  # noqa: E402

STRIDES = 8, 16, 32
SEARCHED_AT_ONCE = 4  # frames; more of them leave the caches, and cost more
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


def frozen(module, example):
    with torch.no_grad():
        traced = torch.jit.trace(module.eval(), example, check_trace=False)
        return torch.jit.optimize_for_inference(torch.jit.freeze(traced))


class Yunet:
    """Picture sizes differ between videos: one frozen graph each, as traces fix what the padding does."""

    def __init__(self, path, threshold, min_face, side):
        self.network, self.threshold, self.min_face, self.side = Network(path), threshold, min_face, side
        self.graphs = {}

    def run(self, x):
        names = [f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox")]

        class Outputs(nn.Module):
            def forward(_, x):
                values = self.network(x)
                return tuple(values[name] for name in names)

        if x.shape not in self.graphs:
            self.graphs[x.shape] = frozen(Outputs(), x)
        with torch.no_grad():
            # The file's last reshape is written for one picture.
            return {n: v.reshape(len(x), -1, v.shape[-1]).numpy() for n, v in zip(names, self.graphs[x.shape](x))}

    def __call__(self, frames):
        """One box (x0, y0, x1, y1) or None a frame: the most confident face."""
        return [box for i in range(0, len(frames), SEARCHED_AT_ONCE) for box in self.search(frames[i:i + SEARCHED_AT_ONCE])]

    def search(self, frames):
        height, width = frames[0].shape[:2]
        scale = min(1.0, self.side / max(width, height))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        batch = np.zeros((len(frames), (size[1] + 31) // 32 * 32, (size[0] + 31) // 32 * 32, 3), np.float32)
        for i, frame in enumerate(frames):
            batch[i, :size[1], :size[0]] = cv2.resize(frame, size, interpolation=cv2.INTER_AREA) if scale < 1 else frame
        out = self.run(torch.from_numpy(batch).permute(0, 3, 1, 2))
        boxes, scores = [], []
        for stride in STRIDES:
            cls, obj, box = (out[f"{name}_{stride}"] for name in ("cls", "obj", "bbox"))
            columns = batch.shape[2] // stride
            grid = np.stack([np.arange(cls.shape[1]) % columns, np.arange(cls.shape[1]) // columns], 1)
            centre, extent = (grid + box[:, :, :2]) * stride, np.exp(box[:, :, 2:]) * stride
            boxes.append(np.concatenate([centre - extent / 2, centre + extent / 2], 2))
            scores.append(np.sqrt(np.clip(cls[:, :, 0], 0, 1) * np.clip(obj[:, :, 0], 0, 1)))
        boxes, scores = np.concatenate(boxes, 1), np.concatenate(scores, 1)
        back = np.tile([width / size[0], height / size[1]], 2)
        found = []
        for b, s in zip(boxes * back, scores):
            small = np.minimum(b[:, 2] - b[:, 0], b[:, 3] - b[:, 1]) < self.min_face
            s = np.where(small, 0, s)
            best = int(np.argmax(s))  # the most confident of all is never suppressed
            found.append(b[best] if s[best] >= self.threshold else None)
        return found


def wanted_indices(capture, n_frames):
    """The first frame at or after (i + 0.5) / n of the last one's time: nodes/sampler.h."""
    last = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) - 1
    return sorted({min(last, math.ceil((i + 0.5) / n_frames * last - 1e-6)) for i in range(n_frames)})


def read_frames_exactly(path, n_frames):
    """The same frames by the ffmpeg program, in the stream's own colour matrix, which OpenCV does not look at, and without
    its rounding: slower, to tell what the rest of the pipeline does to a score."""
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    select = "+".join(f"eq(n\\,{i})" for i in wanted_indices(capture, n_frames))
    width, height = (int(capture.get(k)) for k in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    filters = f"select={select},scale=flags=bilinear+accurate_rnd+full_chroma_int+bitexact,format=bgr24"
    raw = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-vf", filters, "-vsync", "0", "-f", "rawvideo", "-"],
                         check=True, stdout=subprocess.PIPE).stdout
    return list(np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3))


def read_frames(path, n_frames):
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    frames = []
    if not capture.isOpened():
        return frames
    wanted = wanted_indices(capture, n_frames)
    for index in range(wanted[-1] + 1 if wanted else 0):
        if not capture.grab():
            break
        if index in wanted:
            frames.append(capture.retrieve()[1])
    capture.release()
    return frames


def crop(frame, box, card):
    """The box, square by its longer side, times margin; black outside. Where it shrinks by more than two, samples at a whole
    multiple of the crop's size are averaged."""
    corner = (box[:2] + box[2:]) / 2 - max(box[2:] - box[:2]) * card.get("margin", 1.3) / 2
    side = max(box[2:] - box[:2]) * card.get("margin", 1.3)
    size = np.array([card["width_px"], card["height_px"]])
    times = 1 if side <= 2 * size[0] else math.ceil(side / size[0])
    step = side / (times * size)
    start = corner + step / 2 - 0.5  # matrices map pixel indices, boxes count edges
    matrix = np.array([[step[0], 0, start[0]], [0, step[1], start[1]]])
    sampled = cv2.warpAffine(frame, matrix, tuple(int(v) for v in times * size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return sampled if times == 1 else cv2.resize(sampled, tuple(int(v) for v in size), interpolation=cv2.INTER_AREA)


def recurrent(card, folder):
    """The frame and the recurrent network of bench/clip_detector.py -> crops' P(fake)."""
    example = torch.zeros(card["sampling"]["frames"], 3, card["crop"]["height_px"], card["crop"]["width_px"])
    frame, temporal = clip_detector.modules(card["networks"]["frame"]["file"].removesuffix(".onnx"))
    frame = frozen(frame.to(memory_format=torch.channels_last), example.to(memory_format=torch.channels_last))
    return lambda x: torch.sigmoid(temporal(frame(x)[None])).item()


def meso(card, folder):
    """Meso4's file, which gives P(real) of each crop."""
    network = Network(os.path.join(folder, card["networks"]["frame"]["file"]))
    return lambda x: 1 - network(x)[network.outputs[0]].mean().item()


class Detector:
    def __init__(self, path, yunet, read):
        self.read = read
        with open(path, encoding="utf-8") as f:
            self.card = card = json.load(f)
        face, tensor = card["face"], card["tensor"]
        self.finder = Yunet(yunet, face["threshold"], face.get("min_face_px", 40), face.get("search_side_px", 640))
        make = recurrent if "temporal" in card["networks"] else meso
        self.p_fake = make(card, os.path.dirname(path))
        self.mean, self.deviation = (np.array(tensor[k], np.float32) * 255 for k in ("mean", "deviation"))

    def __call__(self, path):
        frames = self.read(path, self.card["sampling"]["frames"])
        if not frames:
            return None
        scores = [self.score([crop(frames[i], box, self.card["crop"]) for i, box in track])
                  for track in tracks(self.finder(frames), self.card["face"])]
        return max(scores, default=None)

    def score(self, crops):
        x = (np.stack(crops)[:, :, :, ::-1].astype(np.float32) - self.mean) / self.deviation
        with torch.no_grad():
            return self.p_fake(torch.from_numpy(x).permute(0, 3, 1, 2))  # channels_last as it lies


def overlap(a, b):
    w, h = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = max(w, 0) * max(h, 0)
    return both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both)


def tracks(boxes, settings):
    """[[(frame, box)...]...]: a box joins the track whose last one it overlaps most, enough, not long ago."""
    out = []
    for i, box in enumerate(boxes):
        if box is None:
            continue
        alive = [t for t in out if i - t[-1][0] <= settings.get("hold_frames", 2) + 1]
        best = max(alive, key=lambda t: overlap(t[-1][1], box), default=None)
        if best and overlap(best[-1][1], box) >= settings.get("min_overlap", 0.3):
            best.append((i, box))
        else:
            out.append([(i, box)])
    return out


def work(arguments, files, results):
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    # glibc gives large blocks back to the system at once, and each tensor would be cleared by the kernel anew.
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(M_MMAP_THRESHOLD, 1 << 30)
    libc.mallopt(M_TRIM_THRESHOLD, 2 ** 31 - 1)
    detector = Detector(arguments.card, arguments.yunet, read_frames_exactly if arguments.exact_pixels else read_frames)
    for path in iter(files.get, None):
        start = time.thread_time()
        results.put((path, detector(os.path.join(arguments.folder, path)), time.thread_time() - start))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("out")
    parser.add_argument("--card", required=True)
    parser.add_argument("--yunet", required=True, help="its ONNX file")
    parser.add_argument("--exact-pixels", action="store_true", help="frames by the ffmpeg program instead of OpenCV")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    a = parser.parse_args()
    paths = sorted(os.path.relpath(os.path.join(base, n), a.folder) for base, _, names in os.walk(a.folder) for n in names)
    paths.sort(key=lambda p: -os.path.getsize(os.path.join(a.folder, p)))  # the largest first, so that no process ends late
    context = multiprocessing.get_context("fork")
    files, results = context.Queue(), context.Queue()
    workers = [context.Process(target=work, args=(a, files, results)) for _ in range(a.processes)]
    for w in workers:
        w.start()
    for path in paths + [None] * len(workers):
        files.put(path)
    rows = sorted(results.get() for _ in paths)
    for w in workers:
        w.join()
    with open(a.out, "w", newline="", encoding="utf-8") as f:
        table = csv.writer(f)
        table.writerow(["path", "p_fake", "cpu_s"])
        table.writerows([path, "" if score is None else f"{score:.9f}", f"{cpu:.3f}"] for path, score, cpu in rows)


if __name__ == "__main__":
    sys.exit(main())
