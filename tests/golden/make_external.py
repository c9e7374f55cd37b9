#!/usr/bin/python3
"""Writes tests/data/external: a network whose weights lie in a file beside it, and such that break a rule each.

    /usr/bin/python3 tests/golden/make_external.py tests/data/external

good.onnx is written by python3-onnx itself (save_as_external_data), with numpy's result; the others are good.onnx with one
tensor's location changed. Needs Debian's python3-onnx.
tests/data/detector/external.onnx is a copy of good.onnx.
"""
import os
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

OUT = sys.argv[1]


def changed(name, **entries):
    model = onnx.load(os.path.join(OUT, "good.onnx"), load_external_data=False)
    tensor = next(t for t in model.graph.initializer if t.name == "w")
    for entry in tensor.external_data:
        entry.value = str(entries.pop(entry.key, entry.value))
    for key, text in entries.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(text)
    with open(os.path.join(OUT, name + ".onnx"), "wb") as f:
        f.write(model.SerializeToString())


def main():
    os.makedirs(OUT, exist_ok=True)
    rng = numpy.random.default_rng(5)
    x, w = (rng.standard_normal(s).astype(numpy.float32) for s in ((3, 40), (40, 30)))
    b, keep = rng.standard_normal(30).astype(numpy.float16), rng.random((3, 30)) < 0.5
    nodes = [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Cast", ["b"], ["c"], to=TensorProto.FLOAT),
             helper.make_node("Add", ["p", "c"], ["q"]), helper.make_node("Where", ["keep", "q", "p"], ["y"])]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 40])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 30])],
        [numpy_helper.from_array(a, n) for a, n in ((w, "w"), (b, "b"), (keep, "keep"))])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    onnx.save_model(model, os.path.join(OUT, "good.onnx"), save_as_external_data=True, location="weights.bin",
                    size_threshold=0)
    p = x @ w
    numpy.save(os.path.join(OUT, "in.npy"), x)
    numpy.save(os.path.join(OUT, "out.npy"), numpy.where(keep, p + b.astype(numpy.float32), p).astype(numpy.float32))
    size = os.path.getsize(os.path.join(OUT, "weights.bin"))
    changed("parent", location="../external/weights.bin")
    changed("inner_parent", location="a/../weights.bin")
    changed("absolute", location="/etc/passwd")
    changed("folder", location="sub")
    changed("empty", location="")
    changed("missing", location="nothing.bin")
    changed("past_end", offset=size - 4799)
    changed("far_offset", offset=2**62)
    changed("negative_offset", offset=-4096)
    changed("short", length=4796)
    changed("words", offset="zero")
    changed("link", location="link.bin")


main()
