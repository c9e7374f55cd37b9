"""Runs the few ONNX operators of the face networks in PyTorch: an oracle that shares no code with fakesift."""
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper


class Network:
    def __init__(self, path):
        graph = onnx.load(path).graph
        self.constants = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
        self.nodes = graph.node
        self.input = next(i.name for i in graph.input if i.name not in self.constants)
        self.outputs = [o.name for o in graph.output]

    def __call__(self, x):
        values = dict(self.constants)
        values[self.input] = x
        with torch.no_grad():
            for node in self.nodes:
                args = [values[name] if name else None for name in node.input]
                attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
                values[node.output[0]] = OPERATORS[node.op_type](args, attributes)
        return {name: values[name] for name in self.outputs}


def pad(x, pads, value):
    if not pads or not any(pads):
        return x
    top, left, bottom, right = pads
    return F.pad(x, (left, right, top, bottom), value=value)


def conv(args, a):
    x = pad(args[0], a.get("pads"), 0.0)
    return F.conv2d(x, args[1], args[2] if len(args) > 2 else None, stride=a.get("strides", [1, 1]),
                    dilation=a.get("dilations", [1, 1]), groups=a.get("group", 1))


def max_pool(args, a):
    x = pad(args[0], a.get("pads"), float("-inf"))
    return F.max_pool2d(x, a["kernel_shape"], stride=a.get("strides", [1, 1]), ceil_mode=bool(a.get("ceil_mode", 0)))


def prelu(args, a):
    x, slope = args
    return torch.where(x < 0, x * slope, x)


def gemm(args, a):
    x, w = args[0], args[1]
    y = (x.t() if a.get("transA") else x) @ (w.t() if a.get("transB") else w) * a.get("alpha", 1.0)
    return y + args[2] * a.get("beta", 1.0) if len(args) > 2 else y


def reshape(args, a):
    x, shape = args[0], [int(v) for v in args[1]]
    return x.reshape([x.shape[i] if v == 0 else v for i, v in enumerate(shape)])


def pad_tensor(args, a):
    assert a.get("mode", b"constant") == b"constant"
    amounts = [int(v) for v in args[1]]
    rank = len(amounts) // 2
    return F.pad(args[0], [amounts[rank * end + axis] for axis in reversed(range(rank)) for end in (0, 1)])


def resize(args, a):
    x = args[0]
    if a.get("mode", b"nearest") == b"linear":
        how = a["coordinate_transformation_mode"]
        assert how in (b"half_pixel", b"align_corners")
        size = [round(x.shape[2 + i] * float(args[2][2 + i])) for i in range(2)]
        return F.interpolate(x, size=size, mode="bilinear", align_corners=how == b"align_corners")
    assert a.get("mode", b"nearest") == b"nearest"
    if len(args) > 3 and args[3] is not None and args[3].numel():
        size = [int(v) for v in args[3][2:]]
    else:
        size = [int(x.shape[2 + i] * float(args[2][2 + i])) for i in range(2)]
    return F.interpolate(x, size=size, mode="nearest")


OPERATORS = {
    "Conv": conv, "MaxPool": max_pool, "PRelu": prelu, "Gemm": gemm, "Reshape": reshape, "Resize": resize,
    "BatchNormalization": lambda args, a: F.batch_norm(args[0], args[3], args[4], args[1], args[2], eps=a.get("epsilon", 1e-5)),
    "LeakyRelu": lambda args, a: F.leaky_relu(args[0], a.get("alpha", 0.01)),
    "Relu": lambda args, a: torch.relu(args[0]),
    "Sigmoid": lambda args, a: torch.sigmoid(args[0]),
    "Softmax": lambda args, a: torch.softmax(args[0], a.get("axis", -1)),
    "Flatten": lambda args, a: args[0].flatten(a.get("axis", 1)),
    "Transpose": lambda args, a: args[0].permute(a["perm"]),
    "Pad": pad_tensor,
    "Concat": lambda args, a: torch.cat(args, a["axis"]),
    "Add": lambda args, a: args[0] + args[1],
}
