"""Writes cases as ONNX's backend tests have them (a folder with model.onnx and test_data_set_0), for `fakesift models check`."""
import os

import numpy
from onnx import TensorProto, helper, numpy_helper


class Writer:
    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    def _data(self, name, inputs, outputs):
        data = os.path.join(self.folder, name, "test_data_set_0")
        os.makedirs(data, exist_ok=True)
        for kind, arrays in (("input", inputs), ("output", outputs)):
            for i, array in enumerate(arrays):
                with open(os.path.join(data, f"{kind}_{i}.pb"), "wb") as f:
                    f.write(numpy_helper.from_array(numpy.asarray(array, order="C")).SerializeToString())
        self.count += 1
        return os.path.join(self.folder, name, "model.onnx")

    def case(self, name, nodes, inputs, outputs, constants=None, opset=17):
        """nodes: one or a list, made by helper.make_node; inputs: {name: array}; outputs: {name: array}."""
        def info(n, a):
            kind = helper.mapping.NP_TYPE_TO_TENSOR_TYPE[a.dtype]
            return helper.make_tensor_value_info(n, kind, a.shape)

        inputs = {n: numpy.asarray(a) for n, a in inputs.items()}
        outputs = {n: numpy.asarray(a) for n, a in outputs.items()}
        graph = helper.make_graph(
            nodes if isinstance(nodes, list) else [nodes], "g", [info(n, a) for n, a in inputs.items()],
            [info(n, a) for n, a in outputs.items()],
            [numpy_helper.from_array(numpy.asarray(a, order="C"), n) for n, a in (constants or {}).items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        path = self._data(name, inputs.values(), outputs.values())
        with open(path, "wb") as f:
            f.write(model.SerializeToString())

    def exported(self, name, module, inputs, opset=13, **settings):
        """A module of PyTorch, exported, with its own results."""
        import torch

        module.eval()
        with torch.no_grad():
            outputs = module(*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        path = self._data(name, [t.numpy() for t in inputs], [t.numpy() for t in outputs])
        torch.onnx.export(module, inputs, path, opset_version=opset, **settings)


__all__ = ["TensorProto", "Writer", "helper"]
