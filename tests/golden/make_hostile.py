#!/usr/bin/python3
"""Writes tests/data/hostile: small ONNX files that break a rule each.

    /usr/bin/python3 tests/golden/make_hostile.py tests/data/hostile

Needs Debian's python3-onnx.
"""
import os
import sys

from onnx import TensorProto, helper, numpy_helper
import numpy

OUT = sys.argv[1]
F = TensorProto.FLOAT


def tensor(name, shape):
    return helper.make_tensor_value_info(name, F, shape)


def weights(name, shape):
    return numpy_helper.from_array(numpy.ones(shape, dtype=numpy.float32), name)


def save(name, nodes, inputs, outputs, initializers=(), opset=13):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    with open(os.path.join(OUT, name + ".onnx"), "wb") as f:
        f.write(model.SerializeToString())


def main():
    os.makedirs(OUT, exist_ok=True)
    node = helper.make_node
    x, y = tensor("x", [1, 3, 8, 8]), tensor("y", None)
    save("cycle", [node("Add", ["x", "b"], ["a"], name="first"), node("Relu", ["a"], ["b"], name="second"),
                   node("Relu", ["b"], ["y"])], [x], [y])
    save("unknown", [node("FancyAttention", ["x"], ["y"], name="layer7")], [x], [y])
    save("foreign", [node("Gelu", ["x"], ["y"], name="layer8", domain="com.example")], [x], [y])
    save("twice", [node("Relu", ["x"], ["y"]), node("Exp", ["x"], ["y"])], [x], [y])
    save("missing", [node("Add", ["x", "nobody"], ["y"])], [x], [y])
    save("misfit", [node("Conv", ["x", "w"], ["y"], name="conv1")], [x], [y], [weights("w", (4, 5, 3, 3))])
    save("window", [node("Conv", ["x", "w"], ["y"], name="conv1")], [x], [y], [weights("w", (4, 3, 9, 9))])
    save("pads", [node("Conv", ["x", "w"], ["y"], name="conv1", pads=[2**62, 0, 2**62, 0])], [x], [y],
         [weights("w", (4, 3, 3, 3))])
    save("no_channels", [node("DepthToSpace", ["x"], ["y"], name="shuffle", blocksize=2**20, mode="CRD")],
         [tensor("x", [1, 0, 2**15, 2**15])], [y])
    shape = helper.make_tensor("s", TensorProto.INT64, [2], [2**31, 2**31])
    save("huge_fill", [node("ConstantOfShape", ["s"], ["f"], name="fill"), node("ReduceSum", ["f"], ["t"]),
                       node("Add", ["x", "t"], ["y"])], [x], [y], [shape])
    w = weights("w", (2, 2))
    w.dims[0] = 2**40
    w.dims[1] = 2**40
    save("huge_dims", [node("Add", ["x", "w"], ["y"])], [x], [y], [w])
    w = weights("w", (2, 2))
    w.dims[0] = -2
    save("negative_dims", [node("Add", ["x", "w"], ["y"])], [x], [y], [w])
    w = weights("w", (2, 2))
    w.raw_data = w.raw_data[:-3]
    save("short_data", [node("Add", ["x", "w"], ["y"])], [x], [y], [w])
    w = weights("w", (2, 2))
    w.ClearField("raw_data")
    w.data_location = TensorProto.EXTERNAL
    entry = w.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    save("external", [node("Add", ["x", "w"], ["y"])], [x], [y], [w])
    index = helper.make_tensor_value_info("i", TensorProto.INT64, [1])
    save("index", [node("Gather", ["x", "i"], ["y"], name="pick", axis=1)], [x, index], [y])
    save("input_shape", [node("Reshape", ["x", "i"], ["y"], name="view")], [x, index], [y])

    # Costs that grow with the nodes, from few bytes: each product's second factor laid out anew, each sum over 80 MB.
    n = 64
    shapes = [numpy_helper.from_array(numpy.array(v, dtype=numpy.int64), k) for k, v in
              (("a_shape", [100, 200000]), ("b_shape", [200000, 100]))]
    fills = [node("ConstantOfShape", ["a_shape"], ["a"]), node("ConstantOfShape", ["b_shape"], ["b"])]
    one = tensor("x", [1])
    save("many_products", fills + [node("MatMul", ["a", "b"], [f"r{i}"]) for i in range(n)]
         + [node("Sum", [f"r{i}" for i in range(n)] + ["x"], ["y"])], [one], [y], shapes)
    save("many_sums", fills[:1] + [node("ReduceSum", ["a"], [f"r{i}"], keepdims=0) for i in range(n)]
         + [node("Sum", [f"r{i}" for i in range(n)] + ["x"], ["y"])], [one], [y], shapes[:1])
    rng = numpy.random.default_rng(20)
    save("stride", [node("Conv", ["x", "w"], ["y"], kernel_shape=[2, 2, 2], pads=[1, 1, 1, 2, 1, 1], strides=[2, 16, 2])],
         [tensor("x", [2, 3, 5, 5, 5])], [y],
         [numpy_helper.from_array(rng.standard_normal((4, 3, 2, 2, 2)).astype(numpy.float32), "w")])


main()
