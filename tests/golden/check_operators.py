#!/usr/bin/python3
"""Operators beside numpy, PyTorch and torchvision, on random shapes and values that ONNX's own cases do not cover.

    /usr/bin/python3 tests/golden/check_operators.py FAKESIFT [FOLDER]

Writes cases into FOLDER (default: a temporary one) and runs `FAKESIFT models check` on them: all must pass. Needs Debian's
python3-onnx, python3-torch and python3-torchvision; exit code 77 where they are missing.
"""
import itertools
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy
    import onnx
    import torch
    import torchvision
    from torch import nn
    from torch.nn import functional as F
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

from onnx_cases import Writer, helper

node = helper.make_node
rng = numpy.random.default_rng(20)
INTEGERS = [numpy.int8, numpy.int16, numpy.int32, numpy.int64, numpy.uint8, numpy.uint16, numpy.uint32, numpy.uint64]
FLOATS = [numpy.float16, numpy.float32, numpy.float64]


def normal(*shape, dtype=numpy.float32):
    return rng.standard_normal(shape).astype(dtype)


def einsum_equation():
    """A random equation and its operands' shapes, as numpy takes them."""
    letters = list("abXyzq")
    sizes = {c: int(rng.integers(1, 5)) for c in letters}
    dots = [int(rng.integers(1, 4)) for _ in range(int(rng.integers(0, 3)))] if rng.random() < 0.4 else None
    terms, shapes = [], []
    for _ in range(int(rng.integers(1, 5))):
        term = [letters[i] for i in rng.integers(0, len(letters), int(rng.integers(0, 4)))]
        shape = [sizes[c] for c in term]
        text = "".join(term)
        if dots is not None and rng.random() < 0.7:
            at = int(rng.integers(0, len(term) + 1))
            part = [d if rng.random() < 0.8 else 1 for d in dots[int(rng.integers(0, len(dots) + 1)):]]
            shape[at:at] = part
            text = text[:at] + "..." + text[at:]
        terms.append(text)
        shapes.append(shape)
    equation = ",".join(terms)
    dotted = any("..." in t for t in terms)
    if rng.random() < 0.7:
        used = sorted(set("".join(terms)) - {"."})
        out = [c for c in rng.permutation(used) if rng.random() < 0.5] if used else []
        at = int(rng.integers(0, len(out) + 1))
        equation += "->" + "".join(out[:at]) + ("..." if dotted else "") + "".join(out[at:])
    return equation, shapes


def einsum(w):
    made = 0
    while made < 150:
        equation, shapes = einsum_equation()
        dtype = [numpy.float32, numpy.float64, numpy.int32, numpy.int64][int(rng.integers(0, 4))]
        arrays = [rng.integers(-4, 5, s).astype(dtype) for s in shapes]
        try:
            wanted = numpy.einsum(equation, *arrays)
        except ValueError:
            continue  # broadcast dimensions that do not fit each other
        if wanted.ndim > 8:
            continue
        inputs = {f"x{i}": a for i, a in enumerate(arrays)}
        w.case(f"einsum_{made:03}", node("Einsum", list(inputs), ["y"], equation=equation), inputs, {"y": wanted})
        made += 1


def half(w):
    f16 = numpy.float16
    x, y = normal(2, 3, 6, 5, dtype=f16), normal(2, 3, 6, 5, dtype=f16)
    wide, other = x.astype(numpy.float32), y.astype(numpy.float32)
    t = torch.from_numpy(wide)
    weights, bias = normal(4, 3, 3, 3, dtype=f16), normal(4, dtype=f16)
    matrix = normal(5, 7, dtype=f16)
    cut = {"low": f16(-0.5).reshape(()), "high": f16(0.75).reshape(())}
    moments = [f16(numpy.abs(normal(3)) + 0.5) for _ in range(4)]
    norm = F.batch_norm(t, torch.tensor(moments[2].astype(numpy.float32)), torch.tensor(moments[3].astype(numpy.float32)),
                        torch.tensor(moments[0].astype(numpy.float32)), torch.tensor(moments[1].astype(numpy.float32)))
    cases = [
        (node("Add", ["x", "y"], ["z"]), x + y, {}), (node("Mul", ["x", "y"], ["z"]), x * y, {}),
        (node("Div", ["x", "y"], ["z"]), x / y, {}), (node("Exp", ["x"], ["z"]), numpy.exp(wide), {}),
        (node("Max", ["x", "y"], ["z"]), numpy.maximum(x, y), {}), (node("Neg", ["x"], ["z"]), -x, {}),
        (node("Softmax", ["x"], ["z"], axis=-1), torch.softmax(t, -1).numpy(), {}),
        (node("ReduceMean", ["x"], ["z"], axes=[2], keepdims=0), wide.mean(2), {}),
        (node("MatMul", ["x", "m"], ["z"]), wide @ matrix.astype(numpy.float32), {"m": matrix}),
        (node("Conv", ["x", "w", "b"], ["z"], pads=[1, 1, 1, 1]),
         F.conv2d(t, torch.tensor(weights.astype(numpy.float32)), torch.tensor(bias.astype(numpy.float32)), padding=1),
         {"w": weights, "b": bias}),
        (node("BatchNormalization", ["x", "s", "b", "e", "v"], ["z"]), norm,
         dict(zip("sbev", moments))),
        (node("Clip", ["x", "low", "high"], ["z"]), x.clip(-0.5, 0.75), cut),
        (node("Concat", ["x", "y"], ["z"], axis=2), numpy.concatenate([x, y], 2), {}),
        (node("Transpose", ["x"], ["z"], perm=[3, 1, 0, 2]), x.transpose(3, 1, 0, 2), {}),
        (node("MaxPool", ["x"], ["z"], kernel_shape=[2, 2]), F.max_pool2d(t, 2, 1), {}),
        (node("Sigmoid", ["x"], ["z"]), torch.sigmoid(t), {}),
        (node("CumSum", ["x", "a"], ["z"]), wide.cumsum(1), {"a": numpy.int64(1).reshape(())}),
        (node("Pad", ["x", "p"], ["z"]), numpy.pad(x, ((0, 0), (0, 0), (1, 0), (0, 2))),
         {"p": numpy.array([0, 0, 1, 0, 0, 0, 0, 2])}),
        (node("Gather", ["x", "i"], ["z"], axis=2), x[:, :, [3, 0]], {"i": numpy.array([3, 0])}),
    ]
    for i, (n, wanted, constants) in enumerate(cases):
        wanted = numpy.asarray(wanted).astype(f16)
        inputs = {name: v for name, v in (("x", x), ("y", y)) if name in n.input}
        w.case(f"half_{i:02}_{n.op_type}", n, inputs, {"z": wanted}, constants)
    w.case("half_less", node("Less", ["x", "y"], ["z"]), {"x": x, "y": y}, {"z": wide < other})


def casts(w):
    for a, b in itertools.permutations(INTEGERS + FLOATS + [numpy.bool_], 2):
        low = 0 if numpy.issubdtype(a, numpy.unsignedinteger) or numpy.issubdtype(b, numpy.unsignedinteger) else -100
        x = rng.integers(low, 120, (40,))
        x = (x + (rng.random(40) if a in FLOATS and b in FLOATS else 0)).astype(a)
        if low == 0 and a in FLOATS:
            x = numpy.abs(x)
        kind = helper.mapping.NP_TYPE_TO_TENSOR_TYPE[numpy.dtype(b)]
        w.case(f"cast_{a.__name__}_{b.__name__}", node("Cast", ["x"], ["y"], to=kind), {"x": x}, {"y": x.astype(b)})


def integers(w):
    arithmetic = {"Add": numpy.add, "Sub": numpy.subtract, "Mul": numpy.multiply, "Max": numpy.maximum,
                  "Min": numpy.minimum, "Mod": numpy.mod}
    relations = {"Equal": numpy.equal, "Less": numpy.less, "GreaterOrEqual": numpy.greater_equal}
    for dtype in INTEGERS:
        info, name = numpy.iinfo(dtype), dtype.__name__
        x = rng.integers(info.min, info.max, (3, 1, 5), dtype, True)
        y = rng.integers(info.min, info.max, (4, 5), dtype, True)
        y[y == 0] = 3
        for op, f in {**arithmetic, **relations}.items():
            w.case(f"integer_{op}_{name}", node(op, ["x", "y"], ["z"]), {"x": x, "y": y}, {"z": f(x, y)})
        # numpy rounds down, ONNX (as C) towards zero.
        small = numpy.abs(x // 2) if info.min < 0 else x
        w.case(f"integer_Div_{name}", node("Div", ["x", "y"], ["z"]), {"x": small, "y": numpy.abs(y // 2) + 1},
               {"z": small // (numpy.abs(y // 2) + dtype(1))})
        for op, f in (("ReduceMax", numpy.max), ("ReduceMin", numpy.min)):
            w.case(f"integer_{op}_{name}", node(op, ["x"], ["z"], axes=[0]), {"x": x}, {"z": f(x, 0, keepdims=True)})
        for op in ("ReduceSum", "ReduceProd"):
            f = numpy.sum if op == "ReduceSum" else numpy.prod
            args = (["x", "a"], {}, {"a": numpy.array([2])}) if op == "ReduceSum" else (["x"], {"axes": [2]}, {})
            w.case(f"integer_{op}_{name}", node(op, args[0], ["z"], **args[1]), {"x": x},
                   {"z": f(x, 2, dtype=dtype, keepdims=True)}, args[2])
        w.case(f"integer_ArgMax_{name}", node("ArgMax", ["x"], ["z"], axis=2, keepdims=0), {"x": x}, {"z": x.argmax(2)})
        w.case(f"integer_Clip_{name}", node("Clip", ["x", "a", "b"], ["z"]), {"x": x}, {"z": x.clip(3, 90)},
               {"a": dtype(3).reshape(()), "b": dtype(90).reshape(())})


def quantise(v, scale, zero, dtype):
    info = numpy.iinfo(dtype)
    return numpy.clip(numpy.rint(v.astype(numpy.float32) / numpy.float32(scale)) + zero, info.min, info.max).astype(dtype)


def quantised(w):
    i8, u8, f32, i32 = numpy.int8, numpy.uint8, numpy.float32, numpy.int32
    for k, dtype in enumerate((i8, u8, i8, u8)):
        x = normal(2, 3, 4, 5) * 40
        x.flat[:8] = [0.5, 1.5, 2.5, -0.5, -1.5, 1e9, -1e9, 3.5]
        scale = numpy.abs(normal(3)) + f32(0.2) if k < 2 else f32(1).reshape(())
        zero = rng.integers(0, 20, scale.shape).astype(dtype)
        shape = (1, 3, 1, 1) if k < 2 else ()
        y = quantise(x, scale.reshape(shape), zero.reshape(shape).astype(f32), dtype)
        w.case(f"quantize_{k}", node("QuantizeLinear", ["x", "s", "z"], ["y"], axis=1), {"x": x}, {"y": y},
               {"s": scale, "z": zero})
        w.case(f"dequantize_{k}", node("DequantizeLinear", ["x", "s", "z"], ["y"], axis=1), {"x": y},
               {"y": (y.astype(i32) - zero.reshape(shape)).astype(f32) * scale.reshape(shape)}, {"s": scale, "z": zero})
    geometries = [dict(), dict(padding=1), dict(stride=2, padding=(2, 1)), dict(dilation=2, padding=2), dict(groups=2)]
    for k, g in enumerate(geometries * 2):
        xt, wt = ((u8, i8), (u8, u8), (i8, i8))[k % 3]
        x = rng.integers(numpy.iinfo(xt).min, numpy.iinfo(xt).max, (2, 4, 7, 6), xt, True)
        weights = rng.integers(numpy.iinfo(wt).min, numpy.iinfo(wt).max, (6, 4 // g.get("groups", 1), 3, 3), wt, True)
        xz, wz = xt(rng.integers(0, 9)), rng.integers(0, 9, 6).astype(wt)
        exact = F.conv2d(torch.tensor(x.astype(float) - xz),
                         torch.tensor(weights.astype(float) - wz.reshape(6, 1, 1, 1)), **g).numpy()
        pair = lambda v: [v, v] if isinstance(v, int) else list(v)
        a = dict(group=g.get("groups", 1), pads=pair(g.get("padding", 0)) * 2, strides=pair(g.get("stride", 1)),
                 dilations=pair(g.get("dilation", 1)))
        w.case(f"conv_integer_{k}", node("ConvInteger", ["x", "w", "xz", "wz"], ["y"], **a), {"x": x},
               {"y": exact.astype(i32)}, {"w": weights, "xz": xz.reshape(()), "wz": wz})
        bias = rng.integers(-4000, 4000, 6).astype(i32)
        xs, ys = f32(0.021), f32(1.7)
        ws = (numpy.abs(normal(6)) * 0.03 + 0.01).astype(f32)
        yz = xt(rng.integers(0, 30))
        factor = (xs * ws / ys).reshape(6, 1, 1).astype(f32)
        sums = (exact + bias.reshape(6, 1, 1)).astype(i32).astype(f32)
        wanted = quantise(sums * factor, 1, f32(yz), xt)
        w.case(f"qlinear_conv_{k}",
               node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["y"], **a), {"x": x},
               {"y": wanted}, {"xs": xs.reshape(()), "xz": xz.reshape(()), "w": weights, "ws": ws, "wz": wz,
                               "ys": ys.reshape(()), "yz": yz.reshape(()), "b": bias})
    a, b = rng.integers(0, 255, (2, 5, 9), u8), rng.integers(-128, 127, (9, 4), i8)
    az, bz = rng.integers(0, 9, 5).astype(u8), rng.integers(0, 9, 4).astype(i8)
    w.case("matmul_integer", node("MatMulInteger", ["a", "b", "az", "bz"], ["y"]), {"a": a, "b": b},
           {"y": (a.astype(i32) - az.reshape(5, 1)) @ (b.astype(i32) - bz)}, {"az": az, "bz": bz})
    pytorch_quantised(w)


def pytorch_quantised(w):
    """PyTorch's own 8-bit convolution, weights by channel; only where this build of it has an engine."""
    engines = [e for e in torch.backends.quantized.supported_engines if e != "none"]
    if not engines:
        print("operators: this PyTorch has no quantised engine; its 8-bit convolution is not compared")
        return
    torch.backends.quantized.engine = engines[0]
    x = torch.quantize_per_tensor(torch.randn(2, 4, 7, 6), 0.04, 117, torch.quint8)
    ws, wz = torch.rand(5, dtype=torch.float64) * 0.02 + 0.005, torch.zeros(5, dtype=torch.int64)
    weights = torch.quantize_per_channel(torch.randn(5, 4, 3, 3), ws, wz, 0, torch.qint8)
    y = torch.nn.quantized.functional.conv2d(x, weights, None, padding=1, scale=0.09, zero_point=60)
    f32 = numpy.float32
    w.case("qlinear_conv_pytorch", node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"],
                                        pads=[1, 1, 1, 1]), {"x": x.int_repr().numpy()}, {"y": y.int_repr().numpy()},
           {"xs": f32(0.04).reshape(()), "xz": numpy.uint8(117).reshape(()), "w": weights.int_repr().numpy(),
            "ws": ws.numpy().astype(f32), "wz": wz.numpy().astype(numpy.int8), "ys": f32(0.09).reshape(()),
            "yz": numpy.uint8(60).reshape(())})


def suppression(w):
    for k in range(12):
        batches, classes, n = [int(rng.integers(1, 4)) for _ in range(2)] + [int(rng.integers(1, 40))]
        corner = rng.random((batches, n, 2)).astype(numpy.float32)
        boxes = numpy.concatenate([corner, corner + rng.random((batches, n, 2)).astype(numpy.float32) * 0.5], 2)
        scores = rng.permutation(batches * classes * n).reshape(batches, classes, n).astype(numpy.float32) / 100
        iou, least, most = float(rng.uniform(0.2, 0.7)), float(rng.uniform(0, 0.3)), int(rng.integers(1, 20))
        rows = []
        for b, c in itertools.product(range(batches), range(classes)):
            kept = torchvision.ops.nms(torch.from_numpy(boxes[b]), torch.from_numpy(scores[b, c]), iou).numpy()
            rows += [[b, c, i] for i in [i for i in kept if scores[b, c, i] > numpy.float32(least)][:most]]
        # torchvision's x, y, x, y to ONNX's y, x, y, x
        wanted = numpy.array(rows, dtype=numpy.int64).reshape(-1, 3)
        w.case(f"nms_{k:02}", node("NonMaxSuppression", ["b", "s", "m", "i", "t"], ["y"]),
               {"b": boxes[:, :, [1, 0, 3, 2]], "s": scores}, {"y": wanted},
               {"m": numpy.int64(most).reshape(1), "i": numpy.float32(iou).reshape(1),
                "t": numpy.float32(least).reshape(1)})


def regions(w):
    x = normal(2, 3, 12, 10)
    rois = numpy.array([[0.4, 1.2, 7.9, 9.3], [3, 2, 4.5, 11], [-2, -1, 5, 4], [6, 6, 6.2, 6.1], [0, 0, 30, 30]],
                       dtype=numpy.float32)
    batch = numpy.array([0, 1, 1, 0, 1])
    table = torch.tensor(numpy.concatenate([batch.reshape(-1, 1).astype(numpy.float32), rois], 1))
    for aligned, samples in itertools.product((False, True), (0, 2)):
        y = torchvision.ops.roi_align(torch.from_numpy(x), table, (4, 3), 0.8, samples, aligned)
        w.case(f"roi_align_{aligned}_{samples}",
               node("RoiAlign", ["x", "r", "b"], ["y"], output_height=4, output_width=3, sampling_ratio=samples,
                    spatial_scale=0.8, coordinate_transformation_mode="half_pixel" if aligned else "output_half_pixel"),
               {"x": x, "r": rois, "b": batch}, {"y": y.numpy()})
    y = torchvision.ops.roi_pool(torch.from_numpy(x), table[:4].contiguous(), (3, 4), 0.7)
    w.case("roi_pool", node("MaxRoiPool", ["x", "r"], ["y"], pooled_shape=[3, 4], spatial_scale=0.7),
           {"x": x, "r": table[:4].numpy()}, {"y": y.numpy()})


def grids(w):
    modes = {"bilinear": "bilinear", "nearest": "nearest", "bicubic": "bicubic"}
    for mode, padding, corners in itertools.product(modes, ("zeros", "border", "reflection"), (0, 1)):
        x, grid = normal(2, 3, 5, 6), (rng.random((2, 4, 7, 2)) * 3 - 1.5).astype(numpy.float32)
        y = F.grid_sample(torch.from_numpy(x), torch.from_numpy(grid), mode, padding, bool(corners))
        w.case(f"grid_{mode}_{padding}_{corners}",
               node("GridSample", ["x", "g"], ["y"], mode=mode, padding_mode=padding, align_corners=corners),
               {"x": x, "g": grid}, {"y": y.numpy()})
        if mode == "bicubic":
            continue
        x, grid = normal(2, 2, 4, 5, 3), (rng.random((2, 3, 2, 4, 3)) * 3 - 1.5).astype(numpy.float32)
        y = F.grid_sample(torch.from_numpy(x), torch.from_numpy(grid), mode, padding, bool(corners))
        w.case(f"grid_volume_{mode}_{padding}_{corners}",
               node("GridSample", ["x", "g"], ["y"], mode=mode, padding_mode=padding, align_corners=corners),
               {"x": x, "g": grid}, {"y": y.numpy()})


def resizes(w):
    modes = [("nearest", 3, False), ("nearest", 4, False), ("nearest", 5, False), ("linear", 3, False),
             ("linear", 3, True), ("bilinear", 4, False), ("bilinear", 4, True), ("trilinear", 5, False),
             ("trilinear", 5, True), ("bicubic", 4, False), ("bicubic", 4, True)]
    for k, ((mode, rank, corners), by_size) in enumerate(itertools.product(modes, (True, False))):
        x = torch.from_numpy(normal(*([2, 3, 5, 6, 4][:rank])))
        size = [int(v) for v in rng.integers(1, 12, rank - 2)] if by_size else None
        scale = None if by_size else [float(v) for v in rng.choice([0.5, 0.75, 1.5, 2.0, 2.5], rank - 2)]
        kind = {"nearest": "nearest", "bicubic": "cubic"}.get(mode, "linear")
        y = F.interpolate(x, size=size, scale_factor=scale, mode=mode,
                          **({} if mode == "nearest" else dict(align_corners=corners)))
        if corners and not by_size:
            continue  # PyTorch takes the output's whole size there, ONNX the exact scale
        a = dict(mode=kind, nearest_mode="floor", coordinate_transformation_mode="asymmetric" if kind == "nearest" else
                 "align_corners" if corners else "pytorch_half_pixel")
        constants = {"s": numpy.array(y.shape)} if by_size else {"s": numpy.array([1, 1] + scale, dtype=numpy.float32)}
        w.case(f"resize_{k:02}_{mode}", node("Resize", ["x", "", "", "s"] if by_size else ["x", "", "s"], ["y"], **a),
               {"x": x.numpy()}, {"y": y.numpy()}, constants)


def pools(w):
    for k in range(24):
        rank = int(rng.integers(1, 4))
        x = torch.from_numpy(normal(*([2, 3] + [int(v) for v in rng.integers(6, 10, rank)])))
        kernel, stride = [[int(v) for v in rng.integers(1, 4, rank)] for _ in range(2)]
        pads, dilation = [int(v) // 2 for v in kernel], [int(v) for v in rng.integers(1, 3, rank)]
        ceil_mode, include = bool(k % 2), bool(k // 2 % 2)
        a = dict(kernel_shape=kernel, strides=stride, pads=pads * 2, ceil_mode=int(ceil_mode))
        y, at = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[rank - 1](x, kernel, stride, pads, dilation, ceil_mode, True)
        planes = torch.arange(6).reshape([2, 3] + [1] * rank) * int(numpy.prod(x.shape[2:]))
        w.case(f"max_pool_{k:02}", node("MaxPool", ["x"], ["y", "i"], dilations=dilation, **a), {"x": x.numpy()},
               {"y": y.numpy(), "i": (at + planes).numpy()})
        y = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[rank - 1](x, kernel, stride, pads, ceil_mode, include)
        w.case(f"average_pool_{k:02}", node("AveragePool", ["x"], ["y"], count_include_pad=int(include), **a),
               {"x": x.numpy()}, {"y": y.numpy()})
        if rank < 3 and not ceil_mode:
            p = 1 + k % 3
            y = (F.lp_pool1d, F.lp_pool2d)[rank - 1](x.abs(), p, kernel if rank == 2 else kernel[0],
                                                     stride if rank == 2 else stride[0])
            w.case(f"lp_pool_{k:02}", node("LpPool", ["x"], ["y"], p=p, kernel_shape=kernel, strides=stride),
                   {"x": x.abs().numpy()}, {"y": y.numpy()})
    x = torch.from_numpy(normal(2, 3, 8, 6))
    y, at = F.max_pool2d(x, 2, 2, return_indices=True)
    planes = torch.arange(6).reshape(2, 3, 1, 1) * 48
    w.case("max_unpool", node("MaxUnpool", ["x", "i"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
           {"x": y.numpy(), "i": (at + planes).numpy()}, {"y": F.max_unpool2d(y, at, 2, 2).numpy()})


def indexing(w):
    x, at = normal(4, 5), rng.integers(-4, 4, (3, 5))
    updates = normal(3, 5)
    functions = {"none": None, "add": numpy.add, "mul": numpy.multiply, "max": numpy.maximum, "min": numpy.minimum}
    for name, f in functions.items():
        y = x.copy()
        for r, c in numpy.ndindex(3, 5):
            y[at[r, c], c] = updates[r, c] if f is None else f(y[at[r, c], c], updates[r, c])
        w.case(f"scatter_elements_{name}", node("ScatterElements", ["x", "i", "u"], ["y"], axis=0, reduction=name),
               {"x": x, "i": at, "u": updates}, {"y": y}, opset=18)
        pairs, slices = rng.integers(-3, 3, (6, 2)), rng.integers(-9, 9, (6, 2)).astype(numpy.int32)
        data = rng.integers(-9, 9, (3, 4, 2)).astype(numpy.int32)
        y = data.copy()
        for p, s in zip(pairs, slices):
            y[p[0], p[1]] = s if f is None else f(y[p[0], p[1]], s)
        w.case(f"scatter_nd_{name}", node("ScatterND", ["x", "i", "u"], ["y"], reduction=name),
               {"x": data, "i": pairs, "u": slices}, {"y": y}, opset=18)
    data, at = normal(2, 3, 4, 5), rng.integers(-4, 4, (2, 3, 6, 1))
    y = numpy.stack([numpy.stack([data[b, c][at[b, c, :, 0]] for c in range(3)]) for b in range(2)])
    w.case("gather_nd_batch", node("GatherND", ["x", "i"], ["y"], batch_dims=2), {"x": data, "i": at}, {"y": y})
    for dtype in (numpy.float32, numpy.int64, numpy.uint8, numpy.float16):
        v = rng.integers(0, 9, (4, 6)).astype(dtype)
        y, first, back, counts = numpy.unique(v, True, True, True)
        w.case(f"unique_{dtype.__name__}", node("Unique", ["x"], ["y", "i", "b", "c"]), {"x": v},
               {"y": y, "i": first, "b": back, "c": counts})
    v = rng.integers(0, 2, (9, 2, 3)).astype(numpy.float32)
    y, first, back, counts = numpy.unique(v, True, True, True, axis=0)
    w.case("unique_axis", node("Unique", ["x"], ["y", "i", "b", "c"], axis=0), {"x": v},
           {"y": y, "i": first, "b": back, "c": counts})
    for k, largest in ((3, 1), (70, 0), (100, 1)):
        v = rng.permutation(300).reshape(3, 100).astype(numpy.float32)
        y, i = torch.topk(torch.from_numpy(v), k, 1, bool(largest))
        w.case(f"top_{k}", node("TopK", ["x", "k"], ["y", "i"], largest=largest), {"x": v},
               {"y": y.numpy(), "i": i.numpy()}, {"k": numpy.array([k])})
    keep = rng.random(5) < 0.5
    w.case("compress", node("Compress", ["x", "k"], ["y"], axis=1), {"x": x, "k": keep}, {"y": x[:, keep]})
    sparse = normal(3, 4, 2) * (rng.random((3, 4, 2)) < 0.4)
    w.case("nonzero", node("NonZero", ["x"], ["y"]), {"x": sparse}, {"y": numpy.array(numpy.nonzero(sparse))})
    m = normal(3, 6, 6)
    w.case("det", node("Det", ["x"], ["y"]), {"x": m}, {"y": numpy.linalg.det(m)})
    for dtype in (numpy.float64, numpy.int32, numpy.int64, numpy.uint32):
        a, b = rng.integers(0, 50, (2, 3, 4)).astype(dtype), rng.integers(0, 50, (4, 5)).astype(dtype)
        w.case(f"matmul_{dtype.__name__}", node("MatMul", ["a", "b"], ["y"]), {"a": a, "b": b}, {"y": a @ b})


def modules(w):
    group, instance = nn.GroupNorm(3, 6), nn.InstanceNorm2d(6, affine=True)
    for m in (group, instance):
        nn.init.normal_(m.weight)
        nn.init.normal_(m.bias)
    x = torch.randn(2, 6, 5, 4)
    w.exported("group_norm", group, (x,))
    w.exported("instance_norm", instance, (x,))
    w.exported("layer_norm", nn.LayerNorm([5, 4]), (x,), opset=17)
    w.exported("response_norm", nn.LocalResponseNorm(3, 0.01), (x,))
    w.exported("pixel_shuffle", nn.PixelShuffle(2), (torch.randn(2, 8, 3, 4),))
    w.exported("pixel_unshuffle", nn.PixelUnshuffle(2), (torch.randn(2, 3, 6, 4),))
    w.exported("mish", nn.Mish(), (x,))
    w.exported("celu", nn.CELU(0.7), (x,))
    w.exported("gelu", nn.GELU(), (x,))
    small = torch.from_numpy(normal(2, 5))
    w.case("group_normalization_21", node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=3),
           {"x": x.numpy()}, {"y": group(x).detach().numpy()},
           {"s": group.weight.detach().numpy(), "b": group.bias.detach().numpy()}, opset=21)
    w.case("mish_18", node("Mish", ["x"], ["y"]), {"x": small.numpy()}, {"y": F.mish(small).numpy()}, opset=18)
    w.case("gelu_20", node("Gelu", ["x"], ["y"], approximate="tanh"), {"x": small.numpy()},
           {"y": F.gelu(small, approximate="tanh").numpy()}, opset=20)


class Repeats(nn.Module):
    """A loop whose body knows its turn, with another loop and a branch inside."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        total = torch.zeros_like(x)
        for i in range(4):
            y = self.linear(x) * float(i + 1)
            for _ in range(3):
                y = torch.tanh(y) + x
            if i % 2 == 0:
                total = total + y
            else:
                total = total - y.relu()
        return total


class Collects(nn.Module):
    """A loop over the length of the input, which is fixed in the file."""

    def forward(self, x):
        rows = []
        h = torch.zeros(x.size(1))
        for i in range(x.size(0)):
            h = torch.tanh(h * 0.5 + x[i])
            rows.append(h)
        return torch.stack(rows), h


class Until(nn.Module):
    """A loop that ends by its condition."""

    def forward(self, x):
        n = 0
        while n * n < 30:
            x = torch.sin(x) + n
            n += 2
        return x


class Branches(nn.Module):
    """Branches on the shape, as Squeeze without a known size is exported."""

    def forward(self, x):
        if x.size(1) > 3:
            y = x.sum(1)
        else:
            y = x.prod(1)
        if y.dim() == 2:
            y = y * 2
        return y


def control(w):
    for name, module, shape in (("loop_nested", Repeats(), (2, 4)), ("loop_until", Until(), (3, 2)),
                                ("if_then", Branches(), (2, 5, 3)), ("if_else", Branches(), (2, 3, 3))):
        w.exported(name, torch.jit.script(module), (torch.randn(*shape),))
    # Lists of tensors are sequences in ONNX; the same recurrence as Scan and as a Loop that collects.
    x = normal(6, 3)
    h, rows = numpy.zeros(3, dtype=numpy.float32), []
    for i in range(6):
        h = numpy.tanh(h * numpy.float32(0.5) + x[i])
        rows.append(h)
    value = lambda n, shape=None, kind=onnx.TensorProto.FLOAT: helper.make_tensor_value_info(n, kind, shape)
    step = [node("Mul", ["h", "half"], ["a"]), node("Add", ["a", "row"], ["b"]), node("Tanh", ["b"], ["next"]),
            node("Identity", ["next"], ["out"])]
    body = helper.make_graph(step, "b", [value("h", [3]), value("row", [3])], [value("next", [3]), value("out", [3])])
    constants = {"half": numpy.float32(0.5).reshape(()), "zero": numpy.zeros(3, dtype=numpy.float32),
                 "turns": numpy.int64(6).reshape(()), "on": numpy.bool_(True).reshape(())}
    w.case("scan", node("Scan", ["zero", "x"], ["last", "all"], body=body, num_scan_inputs=1), {"x": x},
           {"last": h, "all": numpy.stack(rows)}, constants)
    step = [node("Gather", ["x", "i"], ["row"])] + step + [node("Identity", ["go"], ["go_on"])]
    i64, boolean = onnx.TensorProto.INT64, onnx.TensorProto.BOOL
    body = helper.make_graph(step, "b", [value("i", [], i64), value("go", [], boolean), value("h", [3])],
                             [value("go_on", [], boolean), value("next", [3]), value("out", [3])])
    w.case("loop_collects", node("Loop", ["turns", "on", "zero"], ["last", "all"], body=body), {"x": x},
           {"last": h, "all": numpy.stack(rows)}, constants)
    constants["turns"] = numpy.int64(0).reshape(())
    w.case("loop_without_turns", node("Loop", ["turns", "on", "zero"], ["last", "all"], body=body), {"x": x},
           {"last": numpy.zeros(3, dtype=numpy.float32), "all": numpy.zeros((0, 3), dtype=numpy.float32)}, constants)


class Every(nn.Module):
    """What exporters wrote differently from opset to opset: slices, pads, clips, squeezes, softmax, sums, resizing."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.rnn = nn.LSTM(6, 5, batch_first=True)
        self.head = nn.Linear(5, 4)
        self.drop = nn.Dropout(0.3)

    def forward(self, x):
        y = F.relu6(self.norm(self.conv(F.pad(x, (1, 2, 0, 1)))))
        y = F.interpolate(y, scale_factor=2.0, mode="nearest")[:, :, 1:-1, ::2]
        y = F.max_pool2d(y, 2).clamp(0.1, 4.0)
        rows, _ = self.rnn(y.mean(3).transpose(1, 2))
        z = self.drop(self.head(rows.sum(1, keepdim=True).squeeze(1)))
        return torch.softmax(z, 1), z.unsqueeze(0).argmax(2)


def opsets(w):
    module = Every()
    module.norm.running_mean.normal_(0, 0.5)
    module.norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 3, 8, 9)
    for opset in range(7, 18):
        # Slice takes steps from opset 10 on, and PyTorch writes no nearest resizing before 9.
        if opset >= 10:
            w.exported(f"opset_{opset:02}", module, (x,), opset)
        else:
            w.exported(f"opset_{opset:02}", Plain(module, opset == 9), (x,), opset)


class Plain(nn.Module):
    def __init__(self, every, resizes):
        super().__init__()
        self.every, self.resizes = every, resizes
        self.register_buffer("zeros", torch.zeros(5))

    def forward(self, x):
        e = self.every
        y = F.relu6(e.norm(e.conv(F.pad(x, (1, 2, 0, 1)))))
        y = F.interpolate(y, scale_factor=2.0, mode="nearest") if self.resizes else y
        y = F.max_pool2d(y[:, :, 1:-1], 2).clamp(0.1, 4.0)
        # Made by itself or by zeros(), opsets up to 8 would get an operator that ONNX never had.
        state = (x.mean(3).mean(2)[:, :1] * 0.0 + self.zeros).unsqueeze(0)
        rows, _ = e.rnn(y.mean(3).transpose(1, 2), (state, state))
        z = e.drop(e.head(rows.sum(1, keepdim=True).squeeze(1)))
        return torch.softmax(z, 1), z.unsqueeze(0).argmax(2)


def main():
    warnings.simplefilter("ignore")
    torch.manual_seed(20)
    with tempfile.TemporaryDirectory() as folder:
        w = Writer(sys.argv[2] if len(sys.argv) > 2 else folder)
        for group in (einsum, half, casts, integers, quantised, suppression, regions, grids, resizes, pools, indexing,
                      modules, control, opsets):
            group(w)
        run = subprocess.run([sys.argv[1], "models", "check", "--cases", w.folder], capture_output=True, text=True)
        lines = run.stdout.splitlines()
        print("\n".join(line for line in lines if not line.startswith("passed")) or run.stderr)
        passed = sum(line.startswith("passed") for line in lines)
        sys.exit(0 if run.returncode == 0 and passed == w.count else 1)


main()
