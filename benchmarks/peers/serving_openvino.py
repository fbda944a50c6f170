"""OpenVINO on both exported graphs, in fp32 and bf16: serving_openvino.py TASK_FILE"""
import sys

import numpy as np
import openvino as ov

from serving import Task, serve

task = Task(sys.argv[1])
core = ov.Core()


def row(graph, precision, repeats):
    def load():
        model = core.read_model(task.graphs[graph])
        # Sizes that are known help it most.
        sizes = [1 if one and not repeats else task.candidates for one in task.ones]
        model.reshape({field["name"]: [size] for field, size in zip(task.fields, sizes)})
        compiled = core.compile_model(
            model,
            "CPU",
            {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": precision},
        )
        request = compiled.create_infer_request()
        outputs = [compiled.output(f"p_{name}") for name in task.tasks]
        ports = [compiled.input(field["name"]) for field in task.fields]

        def ready(index):
            for port, ids, size in zip(ports, task.columns(index), sizes):
                request.set_tensor(port, ov.Tensor(np.ascontiguousarray(np.broadcast_to(ids, size))))

            def run():
                request.infer()
                return [request.get_tensor(output).data.copy() for output in outputs]

            return run

        return ready

    return load


has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
rows = {}
for name, hint in [("fp32", "f32")] + ([("bf16", "bf16")] if has_bf16 else []):
    rows[f"{name}, as it is"] = row("asItIs", hint, repeats=True)
    rows[f"{name}, planned"] = row("planned", hint, repeats=False)
serve(task, f"OpenVINO {ov.__version__.split('-')[0]}", rows)
