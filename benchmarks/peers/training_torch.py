"""The training step of benchmarks/training in PyTorch, eager, fp32, sparse embedding gradients: prints one JSON object.

  training_torch.py FILE WARM_UP_STEPS [bf16]
"""
import json, resource, sys, time

import numpy as np
import torch
from torch import nn

FIELDS, SIZE, BATCH, VOCABULARY, HIDDEN = 32, 16, 1024, 20_000, [512, 256, 128]
rows = np.fromfile(sys.argv[1], dtype=np.int32).reshape(-1, FIELDS + 2)
warm_up = int(sys.argv[2])
bf16 = len(sys.argv) > 3 and sys.argv[3] == "bf16"
torch.manual_seed(1)


class SenetDnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(FIELDS * VOCABULARY, SIZE, sparse=True)
        nn.init.normal_(self.table.weight, std=0.01)
        units = round(FIELDS / 3)
        self.squeeze, self.excite = nn.Linear(FIELDS, units), nn.Linear(units, FIELDS)
        widths = [FIELDS * SIZE, *HIDDEN]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.heads = nn.Linear(HIDDEN[-1], 2)

    def forward(self, ids):
        e = self.table(ids)
        gates = 2 * torch.sigmoid(self.excite(torch.relu(self.squeeze(e.mean(2)))))
        x = (e * gates.unsqueeze(2)).flatten(1)
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.heads(x)


model = SenetDnn()
sparse = torch.optim.SparseAdam(model.table.parameters(), lr=0.002)
dense = torch.optim.Adam([p for n, p in model.named_parameters() if not n.startswith("table")], lr=0.001)
offsets = torch.arange(FIELDS) * VOCABULARY
losses, start = [], time.perf_counter()
steps = len(rows) // BATCH
for step in range(steps):
    if step == warm_up:
        start = time.perf_counter()
    batch = torch.from_numpy(rows[step * BATCH : (step + 1) * BATCH])
    ids = batch[:, :FIELDS].long() + offsets
    click, conversion = batch[:, FIELDS].float(), batch[:, FIELDS + 1].float()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        logits = model(ids)
    log_p = nn.functional.logsigmoid(logits.float())
    click_loss = nn.functional.binary_cross_entropy_with_logits(logits[:, 0].float(), click)
    joint = log_p.sum(1)
    joint_loss = -(conversion * joint + (1 - conversion) * torch.log1p(-joint.exp().clamp(max=1 - 1e-7))).mean()
    dense.zero_grad(); sparse.zero_grad()
    (click_loss + joint_loss).backward()
    dense.step(); sparse.step()
    losses.append(click_loss.item())
seconds = time.perf_counter() - start
last = losses[-max(1, steps // 5):]
print(json.dumps({
    "device": f"PyTorch {torch.__version__}, CPU, {torch.get_num_threads()} threads",
    "examplesPerSecond": (steps - warm_up) * BATCH / seconds,
    "peakMemoryMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "logLoss": sum(last) / len(last),
}))
