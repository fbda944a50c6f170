"""PyTorch, eager and compiled, in fp32, in bf16 by autocast, and with weights of bf16: serving_torch.py TASK_FILE"""
import sys

import torch
from torch import nn

from serving import SenetDnn, Task, serve

task = Task(sys.argv[1])
torch.set_num_threads(1)
weights = SenetDnn(task)


def linear(w, b):
    layer = nn.Linear(*w.shape)
    layer.weight.data, layer.bias.data = torch.tensor(w.T).contiguous(), torch.tensor(b)
    return layer


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding.from_pretrained(torch.tensor(weights.table))
        self.register_buffer("offsets", torch.tensor(weights.offsets))
        w1, b1, w2, b2 = weights.gates
        self.squeeze, self.excite = linear(w1, b1), linear(w2, b2)
        self.layers = nn.ModuleList(linear(w, b) for w, b in weights.layers)
        self.heads = linear(*weights.heads)

    def forward(self, ids):
        e = self.table(ids + self.offsets)
        gates = 2 * torch.sigmoid(self.excite(torch.relu(self.squeeze(e.mean(2)))))
        x = (e * gates.unsqueeze(2)).flatten(1)
        for layer in self.layers:
            x = torch.relu(layer(x))
        p = torch.sigmoid(self.heads(x).float())
        return [p[:, columns].prod(1) for columns in weights.tasks]


def row(compiled, autocast=False, dtype=torch.float32):
    def load():
        net = Net().to(dtype).eval()
        if compiled:
            # Weights as constants, packed for the products: what an inference server would turn on.
            torch._inductor.config.freezing = True
            net = torch.compile(net, dynamic=False)

        def infer(ids):
            with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
                return [p.numpy() for p in net(ids)]

        def ready(request):
            ids = torch.tensor(task.matrix(request))
            return lambda: infer(ids)

        return ready

    return load


serve(
    task,
    f"PyTorch {torch.__version__}",
    {
        "fp32, eager": row(compiled=False),
        "fp32, compiled": row(compiled=True),
        "bf16 autocast, eager": row(compiled=False, autocast=True),
        "bf16 autocast, compiled": row(compiled=True, autocast=True),
        "bf16 weights, compiled": row(compiled=True, dtype=torch.bfloat16),
    },
)
