#!/usr/bin/python3
"""Whole 8-bit networks: a residual one with random weights, quantized by bench/infer/quantize.py, beside numpy.

    /usr/bin/python3 tests/golden/check_quantized.py FAKESIFT FOLDER_OF_QUANTIZE

QLinear operators: bit for bit what numpy computes with whole numbers, on every backend, for one image as for several. The
form with DequantizeLinear and QuantizeLinear around float operators: computed as bytes, and within a step of numpy's floats.
Exit code 77 where python3-onnx or python3-torch are missing.
"""
import subprocess
import sys
import tempfile

try:
    import numpy
    import onnx
    import torch
    from onnx import helper, numpy_helper
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

sys.path.insert(0, sys.argv[2])
import quantize  # noqa: E402

rng = numpy.random.default_rng(3)
f32 = numpy.float32


def network(path):
    """Stem, max pool, two residual blocks (the second halves the image), depthwise convolution, global maximum, classifier."""
    nodes, constants = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(value.astype(f32), name))
        return name

    def conv(x, y, n_in, n_out, kernel, stride=1, groups=1):
        w = rng.standard_normal((n_out, n_in // groups, kernel, kernel)) / numpy.sqrt(n_in // groups * kernel * kernel)
        inputs = [x, constant(y + "_w", w), constant(y + "_b", rng.standard_normal(n_out) * 0.2)]
        half = kernel // 2
        nodes.append(helper.make_node("Conv", inputs, [y], kernel_shape=[kernel, kernel], strides=[stride, stride], dilations=[1, 1],
                                      pads=[half] * 4, group=groups))
        return y

    def node(op, inputs, y, **a):
        nodes.append(helper.make_node(op, inputs, [y], **a))
        return y

    y = node("Relu", [conv("x", "stem", 3, 24, 7, 2)], "stem_relu")
    y = node("MaxPool", [y], "pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for i, (n_in, n_out, stride) in enumerate([(24, 24, 1), (24, 40, 2)]):
        skip = y if n_in == n_out else conv(y, f"skip{i}", n_in, n_out, 1, stride)
        y = node("Relu", [conv(y, f"a{i}", n_in, 16, 1)], f"a{i}_relu")
        y = node("Relu", [conv(y, f"b{i}", 16, 16, 3, stride)], f"b{i}_relu")
        y = node("Add", [conv(y, f"c{i}", 16, n_out, 1), skip], f"sum{i}")
        y = node("Relu", [y], f"sum{i}_relu")
    y = conv(y, "depthwise", 40, 40, 3, 1, 40)
    y = node("MaxPool", [y], "most", kernel_shape=[8, 8], strides=[8, 8], pads=[0, 0, 0, 0])
    y = node("Flatten", [y], "flat")
    w = [constant("fc_w", rng.standard_normal((10, 40)) / 6), constant("fc_b", rng.standard_normal(10))]
    node("Gemm", [y, *w], "y", transB=1)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "residual", [value("x", 1, ["N", 3, 64, 64])], [value("y", 1, ["N", 10])], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), path)


def quantized(x, scale, zero):
    low = numpy.iinfo(zero.dtype).min
    return numpy.clip(numpy.rint(x / scale).astype(numpy.int64) + int(zero), low, low + 255).astype(zero.dtype)


def shaped(x, rank, axis):
    return x.reshape([-1 if i == axis else 1 for i in range(rank)]) if x.ndim else x


def run(node, x):
    """Float32 as ONNX defines it; sums of bytes as whole numbers, which float64 holds."""
    a = quantize.attributes(node)
    kind = node.op_type
    if kind == "QuantizeLinear":
        return quantized(x[0], x[1], x[2])
    if kind == "DequantizeLinear":
        axis = a.get("axis", 1)
        return (x[0].astype(numpy.int64) - shaped(x[2], x[0].ndim, axis)).astype(f32) * shaped(x[1], x[0].ndim, axis)
    if kind in ("QLinearConv", "Conv"):
        linear = kind == "QLinearConv"
        image, w, b = (x[0], x[3], x[8]) if linear else x
        image, w = [v.astype(numpy.float64) for v in (image - x[2].astype(numpy.float64) if linear else image, w)]
        y = torch.nn.functional.conv2d(torch.from_numpy(image), torch.from_numpy(w), torch.from_numpy(b.astype(numpy.float64)), a["strides"],
                                       a["pads"][:2], a["dilations"], a["group"]).numpy()
        if not linear:
            return y.astype(f32)
        return quantized(y.astype(numpy.int64).astype(f32) * shaped(x[1] * x[4] / x[6], 4, 1), f32(1), x[7])
    if kind == "QLinearMatMul":
        y = (x[0].astype(numpy.int64) - int(x[2])) @ x[3].astype(numpy.int64)
        return quantized(y.astype(f32) * (x[1] * x[4] / x[6]), f32(1), x[7])
    if kind == "Gemm":
        return (x[0].astype(numpy.float64) @ x[1].astype(numpy.float64) + x[2]).astype(f32)
    if kind == "MaxPool":
        pads = [(0, 0), (0, 0)] + [(p, p) for p in a["pads"][:2]]
        low = -numpy.inf if x[0].dtype == f32 else numpy.iinfo(x[0].dtype).min
        wide = numpy.pad(x[0].astype(numpy.float64), pads, constant_values=low)
        return torch.nn.functional.max_pool2d(torch.from_numpy(wide), a["kernel_shape"], a["strides"]).numpy().astype(x[0].dtype)
    if kind == "Add":
        return x[0] + x[1]
    if kind == "Relu":
        return numpy.maximum(x[0], f32(0))
    if kind == "Flatten":
        return x[0].reshape(len(x[0]), -1)
    if kind == "Identity":
        return x[0]
    raise SystemExit(f"{kind} is not known here")


def expected(path, x):
    graph = onnx.load(path).graph
    values = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    values["x"] = x
    for node in graph.node:
        values[node.output[0]] = run(node, [values[n] for n in node.input])
    last = graph.node[-1]
    return values["y"], values[last.input[1]] if last.op_type == "DequantizeLinear" else None


def computed(fakesift, folder, path, x, backend):
    numpy.save(f"{folder}/x.npy", x)
    subprocess.run([fakesift, "models", "run", path, "-b", backend, "-i", f"{folder}/x.npy", "-o", f"{folder}/y.npy"], check=True)
    return numpy.load(f"{folder}/y.npy")


def has_vnni():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return "vnni" in f.read()


def main():
    fakesift = sys.argv[1]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        network(f"{folder}/float.onnx")
        x = rng.standard_normal((3, 3, 64, 64)).astype(f32)
        for form in ("qlinear", "qdq"):
            for signed in (False, True):
                path = f"{folder}/{form}{signed}.onnx"
                quantize.quantize(f"{folder}/float.onnx", path, x, form, signed)
                want, _ = expected(path, x)
                # One step of the classifier's bytes.
                step = 0 if form == "qlinear" else (want.max() - want.min()) / 100
                for backend in ("native", "openblas", "onednn"):
                    y = computed(fakesift, folder, path, x, backend)
                    one = numpy.concatenate([computed(fakesift, folder, path, x[i:i + 1], backend) for i in range(len(x))])
                    off = abs(y - want).max()
                    good = off <= step and (y == one).all() and want.std() > 0
                    failed += not good
                    print(f"{'ok' if good else 'FAILED'}: {form}, {'int8' if signed else 'uint8'}, {backend}: off by {off:g}, "
                          f"{'as' if (y == one).all() else 'NOT as'} one by one")
                info = subprocess.run([fakesift, "models", "info", path], check=True, stdout=subprocess.PIPE, text=True).stdout
                if form == "qdq" and not has_vnni():
                    continue  # stays as floats
                if "QLinearConv 9" not in info or "QLinearMatMul 1" not in info:
                    failed += 1
                    print(f"FAILED: {form} is not computed as bytes:\n{info}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
