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


def value(name, shape=None, kind=F):
    return helper.make_tensor_value_info(name, kind, shape)


def scalar(name, number, kind=TensorProto.INT64):
    return helper.make_tensor(name, kind, [], [number])


def body(nodes, inputs, outputs, initializers=()):
    return helper.make_graph(nodes, "body", inputs, outputs, list(initializers))


def turns(nodes, carried="h", after="next", extra=(), goes_on="go"):
    """The body of a Loop that carries one value."""
    inputs = [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value(carried, None)]
    return body(nodes, inputs, [value(goes_on, [], TensorProto.BOOL), value(after, None)], extra)


def control():
    """If, Loop and Scan whose course is not known, does not end, or does not fit."""
    node = helper.make_node
    x, y = tensor("x", [2, 3]), tensor("y", None)
    on = scalar("on", 1, TensorProto.BOOL)
    many, some = scalar("m", 2**62), scalar("m", 5)
    relu, same = [node("Relu", ["h"], ["next"])], [node("Identity", ["h"], ["next"])]
    save("loop_endless", [node("Loop", ["m", "on", "x"], ["y"], name="loop1", body=turns(relu))], [x], [y], [many, on])
    # Nothing in the body: no node to count, only turns.
    save("loop_idle", [node("Loop", ["m", "on", "x"], ["y"], name="loop1", body=turns([], after="h"))], [x], [y],
         [many, on])
    save("loop_forever", [node("Loop", ["", "", "x"], ["y"], name="loop1", body=turns(same))], [x], [y])
    count = value("m", [], TensorProto.INT64)
    save("loop_count", [node("Loop", ["m", "on", "x"], ["y"], name="loop1", body=turns(relu))], [x, count], [y], [on])
    stops = relu + [node("ReduceSum", ["next"], ["sum"], keepdims=0), node("Cast", ["sum"], ["less"], to=TensorProto.BOOL)]
    save("loop_stops", [node("Loop", ["m", "on", "x"], ["y"], name="loop1", body=turns(stops, goes_on="less"))], [x], [y],
         [some, on])
    save("loop_ports", [node("Loop", ["m", "on", "x", "x"], ["y", "z"], name="loop1", body=turns(relu))], [x], [y],
         [some, on])
    save("loop_body", [node("Loop", ["m", "on", "x"], ["y"], name="loop1")], [x], [y], [some, on])
    # Twice as long each turn, from a constant: 2^60 values.
    double = [node("Concat", ["h", "h"], ["next"], axis=0)]
    save("loop_doubles", [node("Loop", ["m", "on", "c"], ["l"], name="loop1", body=turns(double)),
                          node("ReduceSum", ["l"], ["s"], keepdims=0), node("Add", ["x", "s"], ["y"])], [x], [y],
         [scalar("m", 60), on, weights("c", (1,))])
    # A hundred nodes that hold 64 KiB each, every turn.
    heavy = [node("ConstantOfShape", ["n"], [f"f{k}"], value=helper.make_tensor("v", F, [1], [1.0])) for k in range(100)]
    save("loop_heavy", [node("Loop", ["m", "on", "x"], ["y"], name="loop1",
                             body=turns(heavy + same, extra=[helper.make_tensor("n", TensorProto.INT64, [1], [1 << 14])]))],
         [x], [y], [many, on])
    branch = body([node("Relu", ["x"], ["b"])], [], [value("b", None)])
    flag = value("c", [], TensorProto.BOOL)
    save("if_input", [node("If", ["c"], ["y"], name="if1", then_branch=branch, else_branch=branch)], [x, flag], [y])
    save("if_outputs", [node("If", ["on"], ["y", "z"], name="if1", then_branch=branch, else_branch=branch)], [x], [y],
         [on])
    lost = body([node("Add", ["x", "nobody"], ["b"])], [], [value("b", None)])
    save("if_capture", [node("If", ["on"], ["y"], name="if1", then_branch=lost, else_branch=branch)], [x], [y], [on])
    twice = body([node("Relu", ["x"], ["b"]), node("Exp", ["x"], ["b"])], [], [value("b", None)])
    save("if_twice", [node("If", ["on"], ["y"], name="if1", then_branch=twice, else_branch=branch)], [x], [y], [on])
    ring = body([node("Add", ["x", "y"], ["b"])], [], [value("b", None)])
    save("if_cycle", [node("If", ["on"], ["y"], name="if1", then_branch=ring, else_branch=branch)], [x], [y], [on])
    row = body([node("Add", ["h", "r"], ["next"])], [value("h", None), value("r", None)], [value("next", None)])
    save("scan_axis", [node("Scan", ["x", "x"], ["y"], name="scan1", body=row, num_scan_inputs=1, scan_input_axes=[7])],
         [x], [y])
    save("scan_open", [node("Scan", ["x", "x"], ["y"], name="scan1", body=row, num_scan_inputs=1)],
         [tensor("x", ["n", 3])], [y])
    save("scan_count", [node("Scan", ["x", "x"], ["y"], name="scan1", body=row, num_scan_inputs=9)], [x], [y])


def operators():
    """Sizes that no operator may believe."""
    node = helper.make_node
    y = tensor("y", None)
    side = tensor("x", [1 << 16])
    save("einsum_huge", [node("Einsum", ["x"] * 3, ["y"], name="sum1", equation="a,b,c->abc")], [side], [y])
    save("einsum_stray", [node("Einsum", ["x"], ["y"], name="sum1", equation="a->a;")], [side], [y])
    save("einsum_terms", [node("Einsum", ["x", "x"], ["y"], name="sum1", equation="a->a")], [side], [y])
    fill = lambda n, out: node("ConstantOfShape", [n], [out], value=helper.make_tensor("v", F, [1], [1.0]))
    # Too many to compare; too many to sort, though one is wanted of each class; none wanted, so nothing is to be done.
    for name, most in (("nms_pairs", [2**62]), ("nms_sorted", [1]), ("nms_none", [0])):
        k = helper.make_tensor("k", TensorProto.INT64, [1], most)
        save(name, [fill("bs", "b"), fill("ss", "s"), node("NonMaxSuppression", ["b", "s", "k"], ["i"], name="nms1"),
                    node("Cast", ["i"], ["y"], to=F)], [tensor("x", [1])], [y],
             [helper.make_tensor("bs", TensorProto.INT64, [3], [1, 200000, 4]),
              helper.make_tensor("ss", TensorProto.INT64, [3], [1, 200, 200000]), k], 11)
    sparse = helper.make_sparse_tensor(weights("sp", (1,)), helper.make_tensor("at", TensorProto.INT64, [1], [2]), [9])
    graph = helper.make_graph([node("Add", ["x", "sp"], ["y"])], "g", [tensor("x", [9])], [y], [], sparse_initializer=[sparse])
    with open(os.path.join(OUT, "sparse.onnx"), "wb") as f:
        f.write(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString())


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
    control()
    operators()

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
