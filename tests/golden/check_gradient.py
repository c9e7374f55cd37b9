#!/usr/bin/python3
"""ai.onnx.preview.training's Gradient beside PyTorch's autograd: each operator's derivative, small networks, and refusals.

    /usr/bin/python3 tests/golden/check_gradient.py FAKESIFT

Exit code 77 where python3-onnx or python3-torch are missing.
"""
import subprocess
import sys
import tempfile

try:
    import numpy
    import onnx
    import torch
    from onnx import helper
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

rng = numpy.random.default_rng(5)
node = helper.make_node
DOMAIN = "ai.onnx.preview.training"


def model(path, nodes, xs, y, inputs, fed=None, zs=()):
    """A network of xs whose outputs are the derivatives of y by them, at `fed` where that is given."""
    names = [f"d_{x}" for x in xs]
    gradient = node("Gradient", list(fed or [*xs, *zs]), names, xs=list(xs), y=y, domain=DOMAIN, name="the_gradient",
                    **({"zs": list(zs)} if zs else {}))
    value = helper.make_tensor_value_info
    graph = helper.make_graph([*nodes, gradient], "gradient", [value(n, 1, v.shape) for n, v in inputs.items()],
                              [value(n, 1, None) for n in names])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12), helper.make_opsetid(DOMAIN, 1)], ir_version=7), path)


def run(fakesift, folder, path, inputs):
    command = [fakesift, "models", "run", path]
    for name, value in inputs.items():
        numpy.save(f"{folder}/{name}.npy", value)
        command += ["-i", f"{folder}/{name}.npy"]
    n = len(onnx.load(path).graph.output)
    outs = [f"{folder}/out.npy", *(f"{folder}/out.{i}.npy" for i in range(1, n))]
    command += ["-o", outs[0]]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done, [numpy.load(o) for o in outs] if done.returncode == 0 else []


def normal(*shape):
    return rng.standard_normal(shape).astype(numpy.float32)


def positive(*shape):
    return (numpy.abs(normal(*shape)) + 0.3).astype(numpy.float32)


# Name: (nodes, inputs, the same in PyTorch). The output is y.
CASES = {
    "add, repeated": ([node("Add", ["a", "b"], ["y"])], {"a": normal(3, 4), "b": normal(4)}, lambda a, b: a + b),
    "add, both repeated": ([node("Add", ["a", "b"], ["y"])], {"a": normal(3, 1), "b": normal(1, 4)}, lambda a, b: a + b),
    "sub": ([node("Sub", ["a", "b"], ["y"])], {"a": normal(2, 3, 4), "b": normal(3, 1)}, lambda a, b: a - b),
    "mul": ([node("Mul", ["a", "b"], ["y"])], {"a": normal(3, 4), "b": normal(3, 1)}, lambda a, b: a * b),
    "square": ([node("Mul", ["a", "a"], ["y"])], {"a": normal(3, 4)}, lambda a: a * a),
    "div": ([node("Div", ["a", "b"], ["y"])], {"a": normal(3, 4), "b": positive(4)}, lambda a, b: a / b),
    "pow": ([node("Pow", ["a", "b"], ["y"])], {"a": positive(3, 4), "b": normal(4)}, lambda a, b: a ** b),
    "sum": ([node("Sum", ["a", "b", "a"], ["y"])], {"a": normal(3, 4), "b": normal(4)}, lambda a, b: a + b + a),
    "neg": ([node("Neg", ["a"], ["y"])], {"a": normal(5)}, lambda a: -a),
    "matmul": ([node("MatMul", ["a", "b"], ["y"])], {"a": normal(3, 4), "b": normal(4, 5)}, lambda a, b: a @ b),
    "matmul, heaps": ([node("MatMul", ["a", "b"], ["y"])], {"a": normal(2, 6, 3, 4), "b": normal(6, 4, 5)}, lambda a, b: a @ b),
    "relu": ([node("Relu", ["a"], ["y"])], {"a": normal(20)}, torch.relu),
    "sigmoid": ([node("Sigmoid", ["a"], ["y"])], {"a": normal(20)}, torch.sigmoid),
    "tanh": ([node("Tanh", ["a"], ["y"])], {"a": normal(20)}, torch.tanh),
    "exp": ([node("Exp", ["a"], ["y"])], {"a": normal(20)}, torch.exp),
    "log": ([node("Log", ["a"], ["y"])], {"a": positive(20)}, torch.log),
    "sqrt": ([node("Sqrt", ["a"], ["y"])], {"a": positive(20)}, torch.sqrt),
    "abs": ([node("Abs", ["a"], ["y"])], {"a": normal(20)}, torch.abs),
    "sin": ([node("Sin", ["a"], ["y"])], {"a": normal(20)}, torch.sin),
    "cos": ([node("Cos", ["a"], ["y"])], {"a": normal(20)}, torch.cos),
    "transpose": ([node("Transpose", ["a"], ["t"], perm=[2, 0, 1]), node("Mul", ["t", "b"], ["y"])],
                  {"a": normal(2, 3, 4), "b": normal(4, 2, 3)}, lambda a, b: a.permute(2, 0, 1) * b),
    "flatten": ([node("Flatten", ["a"], ["t"]), node("Mul", ["t", "b"], ["y"])], {"a": normal(2, 3, 4), "b": normal(2, 12)},
                lambda a, b: a.flatten(1) * b),
    "where": ([node("Greater", ["a", "b"], ["c"]), node("Where", ["c", "a", "b"], ["y"])], {"a": normal(3, 4), "b": normal(4)},
              lambda a, b: torch.where(a > b, a, b.expand(3, 4))),
    "reduce sum": ([node("ReduceSum", ["a"], ["t"], axes=[1]), node("Mul", ["t", "b"], ["y"])],
                   {"a": normal(2, 3), "b": normal(2, 1)}, lambda a, b: a.sum(1, keepdim=True) * b),
    "reduce mean": ([node("ReduceMean", ["a"], ["t"], axes=[0, 2]), node("Mul", ["t", "t"], ["y"])], {"a": normal(2, 3, 4)},
                    lambda a: a.mean((0, 2), keepdim=True) ** 2),
    "mean of all": ([node("ReduceMean", ["a"], ["t"], keepdims=0), node("Exp", ["t"], ["y"])], {"a": normal(2, 3)},
                    lambda a: a.mean().exp()),
    "two layers": ([node("MatMul", ["x", "w"], ["h"]), node("Add", ["h", "b"], ["hb"]), node("Tanh", ["hb"], ["t"]),
                    node("MatMul", ["t", "v"], ["o"]), node("Sigmoid", ["o"], ["p"]), node("Mul", ["p", "p"], ["q"]),
                    node("ReduceMean", ["q"], ["y"], keepdims=0)],
                   {"x": normal(6, 4), "w": normal(4, 5), "b": normal(5), "v": normal(5, 2)},
                   lambda x, w, b, v: (torch.sigmoid(torch.tanh(x @ w + b) @ v) ** 2).mean()),
    "not read": ([node("Exp", ["a"], ["y"]), node("Exp", ["b"], ["z"])], {"a": normal(3), "b": normal(2)},
                 lambda a, b: a.exp() + 0 * b.sum()),
}


def expected(f, inputs):
    leaves = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in inputs.values()]
    f(*leaves).sum().backward()
    return [v.grad.numpy() for v in leaves]


def compare(name, got, want):
    worst = max((abs(g - w).max() / (1 + abs(w).max()) if g.shape == w.shape else numpy.inf) for g, w in zip(got, want)) if got else numpy.inf
    good = worst < 2e-6
    print(f"{'ok' if good else 'FAILED'}: {name}: off by {worst:.1e}")
    return good


def refused(fakesift, folder, name, nodes, xs, inputs, words):
    model(f"{folder}/m.onnx", nodes, xs, "y", inputs)
    done, _ = run(fakesift, folder, f"{folder}/m.onnx", inputs)
    good = done.returncode != 0 and words in done.stderr and done.stderr.count("\n") == 1
    print(f"{'ok' if good else 'FAILED'}: {name}: {done.stderr.strip()}")
    return good


def main():
    fakesift, good = sys.argv[1], []
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/m.onnx"
        for name, (nodes, inputs, f) in CASES.items():
            model(path, nodes, list(inputs), "y", inputs)
            done, got = run(fakesift, folder, path, inputs)
            sys.stderr.write(done.stderr)
            good.append(compare(name, got, expected(f, inputs)))

        # At other values than those that the graph has: it is computed again.
        inputs = {"a": normal(3), "b": normal(3), "c": positive(3)}
        model(path, [node("Mul", ["a", "b"], ["t"]), node("Exp", ["t"], ["y"])], ["a", "b"], "y", inputs, fed=["c", "a"])
        _, got = run(fakesift, folder, path, inputs)
        good.append(compare("fed otherwise", got, expected(lambda a, b: (a * b).exp(), {"a": inputs["c"], "b": inputs["a"]})))

        # A derivative of a derivative: of the sum of a^3's derivative.
        inputs = {"a": normal(4)}
        nodes = [node("Mul", ["a", "a"], ["t"]), node("Mul", ["t", "a"], ["u"]),
                 node("Gradient", ["a"], ["y"], xs=["a"], y="u", domain=DOMAIN)]
        model(path, nodes, ["a"], "y", inputs)
        _, got = run(fakesift, folder, path, inputs)
        good.append(compare("twice", got, [6 * inputs["a"]]))

        inputs = {"a": normal(2, 3)}
        good.append(refused(fakesift, folder, "an operator without", [node("Softmax", ["a"], ["y"])], ["a"], inputs, "Softmax"))
        good.append(refused(fakesift, folder, "no such value", [node("Exp", ["a"], ["z"])], ["a"], inputs, "y names no value"))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
