"""What the converters share: a small builder of ONNX graphs, and errors of one line."""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class ConversionError(Exception):
    """A source file that is not what its converter expects; the text is one line."""


class Graph:
    """Nodes are added in order; each call gives the name of its output."""

    def __init__(self, name, opset=13):
        self.name = name
        self.opset = opset
        self.nodes, self.constants, self.inputs, self.outputs = [], [], [], []

    def input(self, name, shape):
        """shape: numbers, and strings for dimensions left open."""
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def constant(self, name, array, dtype=np.float32):
        array = np.ascontiguousarray(array, dtype=dtype)
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            raise ConversionError(f"{name}: holds values that are not finite")
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def op(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def node(self, kind, inputs, outputs, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=outputs[0] or kind, **attributes))

    def conv(self, x, name, weights_oihw, bias, **attributes):
        w = self.constant(f"{name}.weight", weights_oihw)
        b = self.constant(f"{name}.bias", bias)
        return self.op("Conv", [x, w, b], name, kernel_shape=list(weights_oihw.shape[2:]), **attributes)

    def dense(self, x, name, weights_io, bias):
        w = self.constant(f"{name}.weight", weights_io)
        b = self.constant(f"{name}.bias", bias)
        return self.op("Gemm", [x, w, b], name)

    def output(self, name, shape):
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def save(self, path, doc):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.constants)
        model = helper.make_model(graph, producer_name="fakesift", doc_string=doc,
                                  opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 7
        onnx.checker.check_model(model, full_check=True)
        # Same source, same bytes: the installed file can be compared between machines.
        with open(path, "wb") as f:
            f.write(model.SerializeToString(deterministic=True))


def run(main):
    """Calls main(); a file that cannot be converted is one line on standard error and exit status 1."""
    try:
        main()
    except (ConversionError, OSError, KeyError, ValueError) as e:
        text = " ".join(str(e).split())
        print(f"{sys.argv[0].rsplit('/', 1)[-1]}: {type(e).__name__}: {text}"
              if not isinstance(e, ConversionError) else f"{sys.argv[0].rsplit('/', 1)[-1]}: {text}", file=sys.stderr)
        sys.exit(1)
