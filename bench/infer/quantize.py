#!/usr/bin/python3
"""An 8-bit network from a float one: of Conv, Relu, Clip, MaxPool, Add, GlobalAveragePool, Flatten and Gemm.

    bench/infer/quantize.py FLOAT.onnx OUT.onnx --input X.npy [--format qlinear|qdq] [--signed]

Weights are int8, one scale a filter; activations are uint8 (int8 with --signed), one scale and zero point a tensor, from
the range that the input X gives them. `qlinear` writes QLinearConv and QLinearMatMul; `qdq` writes what ONNX Runtime's
quantizer does today: the float operators between DequantizeLinear and QuantizeLinear.
"""
import argparse

import numpy
import onnx
import torch
from onnx import helper, numpy_helper

ACTIVATIONS = ("Relu", "Clip")


def attributes(node):
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


class Values:
    """Every value of the float network for one input, by PyTorch."""

    def __init__(self, graph, x):
        self.of = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()) for i in graph.initializer}
        self.of[graph.input[0].name] = torch.from_numpy(x)
        with torch.no_grad():
            for node in graph.node:
                self.of[node.output[0]] = self.run(node, attributes(node), [self.of.get(n) for n in node.input])

    @staticmethod
    def run(node, a, x):
        f = torch.nn.functional
        kind = node.op_type
        if kind == "Constant":
            return torch.from_numpy(numpy_helper.to_array(a["value"]).copy())
        if kind == "Conv":
            assert a["pads"][:2] == a["pads"][2:], node
            return f.conv2d(x[0], x[1], x[2] if len(x) > 2 else None, a["strides"], a["pads"][:2], a.get("dilations", 1), a.get("group", 1))
        if kind == "Relu":
            return torch.relu(x[0])
        if kind == "Clip":
            return torch.clamp(x[0], float(x[1]), float(x[2]))
        if kind == "MaxPool":
            return f.max_pool2d(x[0], a["kernel_shape"], a["strides"], a["pads"][:2])
        if kind == "Add":
            return x[0] + x[1]
        if kind == "GlobalAveragePool":
            return x[0].mean((2, 3), keepdim=True)
        if kind == "Flatten":
            return x[0].flatten(1)
        if kind == "Gemm":
            return x[0] @ (x[1].T if a.get("transB") else x[1]) + x[2]
        raise SystemExit(f"{kind} is not quantized by this script")


class Quantizer:
    def __init__(self, model, x, form, signed):
        self.graph, self.form = model.graph, form
        self.type = numpy.int8 if signed else numpy.uint8
        self.values = Values(model.graph, x)
        self.constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
        self.nodes, self.initializers = [], []
        self.bytes, self.floats, self.codes = {}, {}, {}
        self.readers = {}
        for node in self.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    def add(self, op, inputs, output, **a):
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **a))
        return output

    def constant(self, name, value):
        self.initializers.append(numpy_helper.from_array(numpy.asarray(value), name))
        return name

    def code(self, value):
        """Names of the scale and the zero point of an activation."""
        if value not in self.codes:
            x = self.values.of[value].numpy()
            low, high = min(0.0, float(x.min())), max(0.0, float(x.max()))
            scale = numpy.float32((high - low) / 255 or 1)
            zero = numpy.rint(-low / scale) + (-128 if self.type == numpy.int8 else 0)
            self.codes[value] = (self.constant(value + "_scale", scale), self.constant(value + "_zero", self.type(zero)), scale)
        return self.codes[value]

    def as_bytes(self, value):
        if value not in self.bytes:
            scale, zero, _ = self.code(value)
            self.bytes[value] = self.add("QuantizeLinear", [self.floats[value], scale, zero], value + "_bytes")
        return self.bytes[value]

    def as_floats(self, value):
        if value not in self.floats:
            scale, zero, _ = self.code(value)
            self.floats[value] = self.add("DequantizeLinear", [self.bytes[value], scale, zero], value + "_floats")
        return self.floats[value]

    def after_activation(self, node):
        """The value that the node leaves once an activation behind it has run, and the activation."""
        readers = self.readers.get(node.output[0], [])
        if len(readers) == 1 and readers[0].op_type in ACTIVATIONS:
            return readers[0].output[0], readers[0]
        return node.output[0], None

    def quantized_weights(self, name, w, axis):
        scale = numpy.maximum(abs(w).max(tuple(i for i in range(w.ndim) if i != axis)), 1e-8).astype(numpy.float32) / numpy.float32(127)
        shape = [-1 if i == axis else 1 for i in range(w.ndim)]
        q = numpy.clip(numpy.rint(w / scale.reshape(shape)), -127, 127).astype(numpy.int8)
        names = [self.constant(name + "_bytes", q), self.constant(name + "_scale", scale),
                 self.constant(name + "_zero", numpy.zeros(len(scale), numpy.int8))]
        return names, scale

    def conv(self, node):
        out, _ = self.after_activation(node)
        x, (w_names, w_scale) = node.input[0], self.quantized_weights(node.input[1], self.constants[node.input[1]], 0)
        x_bytes, (x_scale, x_zero, x_value), (y_scale, y_zero, _) = self.as_bytes(x), self.code(x), self.code(out)
        bias_scale = x_value * w_scale
        bias = self.constants[node.input[2]] if len(node.input) > 2 else numpy.zeros(len(w_scale), numpy.float32)
        bias = self.constant(node.output[0] + "_bias", numpy.rint(bias / bias_scale).astype(numpy.int32))
        if self.form == "qlinear":
            inputs = [x_bytes, x_scale, x_zero, *w_names, y_scale, y_zero, bias]
            self.bytes[out] = self.add("QLinearConv", inputs, out + "_bytes", **attributes(node))
            return
        w = self.add("DequantizeLinear", w_names, node.input[1] + "_floats", axis=0)
        scale = self.constant(bias + "_scale", bias_scale)
        zero = self.constant(bias + "_zero", numpy.zeros(len(w_scale), numpy.int32))
        b = self.add("DequantizeLinear", [bias, scale, zero], bias + "_floats", axis=0)
        y = self.add("Conv", [self.as_floats(x), w, b], node.output[0], **attributes(node))
        self.quantize(y, node, out)

    def quantize(self, y, node, out):
        """The floats y, through the activation behind the node, as the bytes of out."""
        _, activation = self.after_activation(node)
        if activation:
            y = self.add(activation.op_type, [y, *activation.input[1:]], out, **attributes(activation))
        self.floats[out] = y
        self.as_bytes(out)
        del self.floats[out]

    def gemm(self, node):
        a = attributes(node)
        w = self.constants[node.input[1]]
        w = w.T if a.get("transB") else w
        x, out = node.input[0], node.output[0]
        (w_names, w_scale), (x_scale, x_zero, x_value) = self.quantized_weights(node.input[1], w, 1), self.code(x)
        if self.form == "qlinear":
            product = out + "_product"
            self.values.of[product] = self.values.of[x] @ torch.from_numpy(w.copy())
            y_scale, y_zero, _ = self.code(product)
            self.bytes[product] = self.add("QLinearMatMul", [self.as_bytes(x), x_scale, x_zero, *w_names, y_scale, y_zero], product + "_bytes")
            self.floats[out] = self.add("Add", [self.as_floats(product), node.input[2]], out)
            self.initializers.append(numpy_helper.from_array(self.constants[node.input[2]], node.input[2]))
            return
        self.as_bytes(x)
        self.floats.pop(x, None)
        w_floats = self.add("DequantizeLinear", w_names, node.input[1] + "_floats", axis=1)
        bias_scale = x_value * w_scale
        bias = self.constant(out + "_bias", numpy.rint(self.constants[node.input[2]] / bias_scale).astype(numpy.int32))
        b = self.add("DequantizeLinear", [bias, self.constant(bias + "_scale", bias_scale),
                                          self.constant(bias + "_zero", numpy.zeros(len(w_scale), numpy.int32))], bias + "_floats", axis=0)
        y = self.add("Gemm", [self.as_floats(x), w_floats, b], out + "_sum")
        self.quantize(y, node, out)
        self.add("Identity", [self.as_floats(out)], out)

    def node(self, node):
        kind, x, y = node.op_type, node.input[0] if node.input else None, node.output[0]
        if kind == "Constant":
            self.nodes.append(node)
        elif kind == "Conv":
            self.conv(node)
        elif kind == "Gemm":
            self.gemm(node)
        elif kind == "MaxPool":
            x_bytes, code = self.as_bytes(x), self.code(x)
            self.codes[y] = code
            if self.form == "qlinear":
                self.bytes[y] = self.add(kind, [x_bytes], y + "_bytes", **attributes(node))
            else:
                self.quantize(self.add(kind, [self.as_floats(x)], y, **attributes(node)), node, y)
        elif kind == "Add":
            out, _ = self.after_activation(node)
            self.quantize(self.add(kind, [self.as_floats(n) for n in node.input], y), node, out)
        elif kind == "Flatten" or kind == "GlobalAveragePool":
            self.floats[y] = self.add(kind, [self.as_floats(x)], y, **attributes(node))
        elif kind not in ACTIVATIONS:
            raise SystemExit(f"{kind} is not quantized by this script")

    def model(self):
        self.floats[self.graph.input[0].name] = self.graph.input[0].name
        # What is quantized is read as what its bytes stand for.
        first = self.graph.input[0].name
        self.as_bytes(first)
        del self.floats[first]
        for node in self.graph.node:
            self.node(node)
        graph = helper.make_graph(self.nodes, "quantized", list(self.graph.input), list(self.graph.output), self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)


def quantize(float_path, out_path, x, form="qlinear", signed=False):
    model = onnx.load(float_path)
    onnx.save(Quantizer(model, x, form, signed).model(), out_path)


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("network")
    a.add_argument("out")
    a.add_argument("--input", required=True)
    a.add_argument("--format", choices=("qlinear", "qdq"), default="qlinear")
    a.add_argument("--signed", action="store_true")
    a = a.parse_args()
    quantize(a.network, a.out, numpy.load(a.input), a.format, a.signed)


if __name__ == "__main__":
    main()
