#!/usr/bin/python3
"""Writes tests/data/recurrent: RNN, GRU and LSTM nodes in many forms, with what they give.

    /usr/bin/python3 tests/golden/make_recurrent.py tests/data/recurrent

KIND.onnx has one node a case, with inputs and outputs of its own, weights as initializers. KIND.npy is one float32 vector: the
values of all inputs in the graph's order (lengths, too), then those of all outputs. Values are PyTorch's, in double precision,
wherever PyTorch has the form; the others come from `oracle` below, ONNX's formulas in numpy, which is held against PyTorch first.
Needs Debian's python3-torch and python3-onnx.
"""
import os
import sys

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper

OUT = sys.argv[1]
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
# PyTorch's rows of gates in ONNX's order: ONNX has z r h and i o f c, PyTorch r z n and i f g o.
ORDER = {"RNN": [0], "GRU": [1, 0, 2], "LSTM": [0, 3, 1, 2]}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


FUNCTIONS = {"Sigmoid": sigmoid, "Tanh": np.tanh, "Relu": lambda x: np.maximum(x, 0)}


def oracle(case, x, w, r, b, lengths, h0, c0, p):
    """x: T x N x I; the rest as ONNX states it for layout 0. Y, Y_h, Y_c (None where the kind has none)."""
    kind, n_hidden = case["kind"], case["hidden"]
    steps, batch, _ = x.shape
    directions = w.shape[0]
    default = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}[kind] * directions
    names = case.get("activations", default)
    clip = case.get("clip", np.inf)
    y = np.zeros((steps, directions, batch, n_hidden))
    last_h, last_c = np.zeros((directions, batch, n_hidden)), np.zeros((directions, batch, n_hidden))
    for d in range(directions):
        each = len(default) // directions
        f = [lambda v, name=name: FUNCTIONS[name](np.clip(v, -clip, clip)) for name in names[d * each:(d + 1) * each]]
        wd, rd = w[d].reshape(GATES[kind], n_hidden, -1), r[d].reshape(GATES[kind], n_hidden, -1)
        wb, rb = b[d].reshape(2, GATES[kind], n_hidden)
        for n in range(batch):
            h, c = h0[d, n].copy(), c0[d, n].copy()
            times = range(lengths[n])
            if case["direction"] == "reverse" or d == 1:
                times = reversed(times)
            for t in times:
                v = x[t, n]
                if kind == "RNN":
                    h = f[0](wd[0] @ v + rd[0] @ h + wb[0] + rb[0])
                elif kind == "GRU":
                    z = f[0](wd[0] @ v + rd[0] @ h + wb[0] + rb[0])
                    reset = f[0](wd[1] @ v + rd[1] @ h + wb[1] + rb[1])
                    if case.get("linear_before_reset"):
                        new = f[1](wd[2] @ v + reset * (rd[2] @ h + rb[2]) + wb[2])
                    else:
                        new = f[1](wd[2] @ v + rd[2] @ (reset * h) + rb[2] + wb[2])
                    h = (1 - z) * new + z * h
                else:
                    pi, po, pf = p[d].reshape(3, n_hidden)
                    i = f[0](wd[0] @ v + rd[0] @ h + pi * c + wb[0] + rb[0])
                    forget = f[0](wd[2] @ v + rd[2] @ h + pf * c + wb[2] + rb[2])
                    if case.get("input_forget"):
                        forget = 1 - i
                    c = forget * c + i * f[1](wd[3] @ v + rd[3] @ h + wb[3] + rb[3])
                    o = f[0](wd[1] @ v + rd[1] @ h + po * c + wb[1] + rb[1])
                    h = o * f[2](c)
                y[t, d, n] = h
            last_h[d, n], last_c[d, n] = h, c
    return y, last_h, last_c if kind == "LSTM" else None


def in_pytorch(case):
    """Whether PyTorch has this form."""
    simple = not any(k in case for k in ("clip", "input_forget", "peepholes"))
    if case["kind"] == "GRU":
        simple = simple and case.get("linear_before_reset") == 1
    names = case.get("activations")
    return simple and case["direction"] != "reverse" and (names is None or (case["kind"] == "RNN" and len(set(names)) == 1))


def pytorch(case, x, w, r, b, lengths, h0, c0):
    kind, hidden = case["kind"], case["hidden"]
    directions = w.shape[0]
    extra = {"nonlinearity": case.get("activations", ["Tanh"])[0].lower()} if kind == "RNN" else {}
    net = getattr(torch.nn, kind)(x.shape[2], hidden, bidirectional=directions == 2, **extra).double()
    back = np.argsort(ORDER[kind])

    def rows(a):
        return torch.from_numpy(a.reshape(GATES[kind], hidden, -1)[back].reshape(GATES[kind] * hidden, -1).copy())

    with torch.no_grad():
        for d in range(directions):
            suffix = "_l0" + ("_reverse" if d else "")
            wb, rb = np.split(b[d], 2)
            for name, value in (("weight_ih", rows(w[d])), ("weight_hh", rows(r[d])), ("bias_ih", rows(wb)[:, 0]),
                                ("bias_hh", rows(rb)[:, 0])):
                getattr(net, name + suffix).copy_(value)
        packed = torch.nn.utils.rnn.pack_padded_sequence(torch.from_numpy(x), torch.tensor(lengths), enforce_sorted=False)
        state = torch.from_numpy(h0)
        y, last = net(packed, (state, torch.from_numpy(c0)) if kind == "LSTM" else state)
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, total_length=x.shape[0])
    y = y.numpy().reshape(x.shape[0], x.shape[1], directions, hidden).transpose(0, 2, 1, 3)
    return (y, last[0].numpy(), last[1].numpy()) if kind == "LSTM" else (y, last.numpy(), None)


def make(case, rng):
    """Node, graph inputs, outputs, initializers, values of the inputs, wanted values of the outputs."""
    kind, hidden, width, steps, batch, name = (case[k] for k in ("kind", "hidden", "width", "steps", "batch", "name"))
    directions = 2 if case["direction"] == "bidirectional" else 1
    rows = GATES[kind] * hidden

    def noise(*shape, scale=1.0):
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    x = noise(steps, batch, width)
    w, r = noise(directions, rows, width, scale=width ** -.5), noise(directions, rows, hidden, scale=hidden ** -.5)
    b = noise(directions, 2 * rows, scale=.5 * case.get("bias", 1))
    h0 = noise(directions, batch, hidden, scale=case.get("initial", 0))
    c0 = noise(directions, batch, hidden, scale=case.get("initial", 0))
    p = noise(directions, 3 * hidden, scale=case.get("peepholes", 0))
    lengths = np.array(case.get("lengths", [steps] * batch), np.int32)
    exact = [a.astype(np.float64) for a in (x, w, r, b, h0, c0, p)]
    arguments = (case, *exact[:4], lengths, *exact[4:])
    wanted = oracle(*arguments)
    if in_pytorch(case):
        by_torch = pytorch(*arguments[:-1])
        for mine, its in zip(wanted, by_torch):
            assert mine is None or np.abs(mine - its).max() < 1e-12, name
        wanted = by_torch
    y, last_h, last_c = wanted
    if case.get("layout"):
        x, h0, c0 = x.transpose(1, 0, 2), h0.transpose(1, 0, 2), c0.transpose(1, 0, 2)
        y = y.transpose(2, 0, 1, 3)
        last_h, last_c = (a if a is None else a.transpose(1, 0, 2) for a in (last_h, last_c))
    ports = [("X", x), ("W", w), ("R", r), ("B", b if case.get("bias", 1) else None),
             ("lens", lengths if "lengths" in case else None), ("h0", h0 if "initial" in case else None)]
    if kind == "LSTM":
        ports += [("c0", c0 if "initial" in case else None), ("P", p if "peepholes" in case else None)]
    constant = ("W", "R", "B", "P") if not case.get("open_weights") else ()
    inputs, values, initializers, names = [], [], [], []
    for port, value in ports:
        names.append(f"{name}.{port}" if value is not None else "")
        if value is None:
            continue
        if port in constant:
            initializers.append(numpy_helper.from_array(value, names[-1]))
        else:
            inputs.append(helper.make_tensor_value_info(names[-1], TensorProto.INT32 if port == "lens" else TensorProto.FLOAT,
                                                        value.shape))
            values.append(value)
    while not names[-1]:
        names.pop()
    results = [(f"{name}.{port}", v) for port, v in (("Y", y), ("Y_h", last_h), ("Y_c", last_c)) if v is not None]
    keep = case.get("outputs", [port.split(".")[1] for port, _ in results])
    attributes = {k: case[k] for k in ("activations", "clip", "input_forget", "linear_before_reset", "layout") if k in case}
    node = helper.make_node(kind, names, [n if n.split(".")[1] in keep else "" for n, _ in results], name=name,
                            hidden_size=hidden, direction=case["direction"], **attributes)
    results = [(n, v) for n, v in results if n.split(".")[1] in keep]
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, v.shape) for n, v in results]
    return node, inputs, outputs, initializers, values, [v for _, v in results]


def cases(kind):
    """hidden, width, steps, batch, direction, and what else the case is about."""
    def case(name, hidden, width, steps, batch, direction="forward", **more):
        return dict(kind=kind, name=name, hidden=hidden, width=width, steps=steps, batch=batch, direction=direction, **more)

    torch_like = {"linear_before_reset": 1} if kind == "GRU" else {}
    yield case("plain", 5, 3, 4, 2, **torch_like)
    yield case("one", 1, 1, 1, 1, **torch_like)
    yield case("odd", 17, 7, 6, 3, "bidirectional", initial=.5, **torch_like)
    yield case("reverse", 7, 5, 5, 4, "reverse", initial=.5, **torch_like)
    yield case("packed", 9, 4, 7, 5, "bidirectional", lengths=[7, 3, 1, 5, 7], **torch_like)
    yield case("packed_reverse", 6, 4, 5, 3, "reverse", lengths=[2, 5, 3], initial=.5, **torch_like)
    yield case("packed_initial", 8, 5, 5, 3, lengths=[4, 1, 5], initial=.7, **torch_like)
    yield case("layout", 11, 6, 4, 3, "bidirectional", layout=1, initial=.5, **torch_like)
    yield case("layout_packed", 5, 4, 5, 3, "bidirectional", layout=1, lengths=[3, 5, 1], initial=.5, **torch_like)
    yield case("no_bias", 16, 8, 3, 2, bias=0, **torch_like)
    yield case("last_only", 13, 5, 4, 2, "bidirectional", outputs=["Y_h"], **torch_like)
    yield case("all_only", 4, 9, 5, 1, "bidirectional", outputs=["Y"], **torch_like)
    yield case("open_weights", 3, 4, 3, 2, "bidirectional", open_weights=True, **torch_like)
    yield case("clip", 5, 6, 5, 2, "bidirectional", clip=.4, initial=.5, **torch_like)
    if kind == "RNN":
        yield case("relu", 10, 4, 5, 3, activations=["Relu"], initial=.3)
        yield case("relu_both", 10, 4, 5, 3, "bidirectional", activations=["Relu", "Relu"], lengths=[5, 2, 4])
        yield case("mixed", 6, 4, 5, 2, "bidirectional", activations=["Sigmoid", "Relu"])
    if kind == "GRU":
        yield case("reset_first", 6, 5, 4, 3, linear_before_reset=0, initial=.5)
        yield case("reset_first_both", 15, 5, 6, 3, "bidirectional", initial=.5, lengths=[6, 2, 4])
        yield case("reset_first_reverse", 7, 3, 5, 2, "reverse", layout=1, initial=.5)
        yield case("functions", 5, 3, 4, 2, "bidirectional", activations=["Sigmoid", "Relu", "Tanh", "Sigmoid"],
                   linear_before_reset=1)
    if kind == "LSTM":
        yield case("peepholes", 6, 4, 5, 3, peepholes=.5, initial=.5)
        yield case("peepholes_both", 7, 5, 4, 2, "bidirectional", peepholes=.5, lengths=[3, 4])
        yield case("peepholes_reverse", 5, 3, 4, 2, "reverse", peepholes=.7, layout=1)
        yield case("coupled", 6, 4, 5, 2, "bidirectional", input_forget=1, initial=.5)
        yield case("functions", 5, 3, 4, 2, activations=["Sigmoid", "Relu", "Tanh"], initial=.5)
        yield case("cell_only", 4, 3, 3, 2, outputs=["Y_c"])
    # More than a vector of hidden units, and a batch of several blocks of rows.
    yield case("wide", 24, 5, 4, 13, "bidirectional", initial=.5, **torch_like)
    yield case("wide_packed", 16, 5, 4, 3, "bidirectional", lengths=[4, 2, 3], layout=1, **torch_like)


def main():
    os.makedirs(OUT, exist_ok=True)
    for kind in GATES:
        rng = np.random.default_rng(20)
        made = [make(case, rng) for case in cases(kind)]
        nodes, inputs, outputs, initializers, values, wanted = zip(*made)
        graph = helper.make_graph(list(nodes), kind, sum(inputs, []), sum(outputs, []), sum(initializers, []))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
        with open(os.path.join(OUT, kind.lower() + ".onnx"), "wb") as f:
            f.write(model.SerializeToString())
        flat = [v.ravel().astype(np.float32) for v in sum(values, []) + sum(wanted, [])]
        np.save(os.path.join(OUT, kind.lower() + ".npy"), np.concatenate(flat))


main()
