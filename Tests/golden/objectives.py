"""Losses and gradients by PyTorch's autograd in double precision, for LossesTests, LayersTests and OptimizersTests.

    python3 Tests/golden/objectives.py        (writes objectives.safetensors beside itself)

Inputs are float32. A case of several steps has its inputs stacked: student [T, N, D], teacher [T, N, D].
"""
import math
import pathlib

import torch
from safetensors.torch import save_file

torch.manual_seed(20)
out = {}


def unit(x):
    return torch.nn.functional.normalize(x, dim=-1)


def queue_case(name, steps, N, D, K, student_t, teacher_t, near=0.0, repeat=False):
    """SEED (teacher_t given) or InfoNCE (None), with the queue updated after each loss."""
    queue = unit(torch.randn(K, D)).float()
    teacher = unit(torch.randn(steps, N, D)).float()
    if repeat:  # Later batches lie close to the first, so that the teacher's weights are spread over the queue.
        teacher = unit(teacher[0] + 0.1 * torch.randn(steps, N, D)).float()
    student = unit(near * teacher + (1 - near) * unit(torch.randn(steps, N, D))).float()
    out[f"{name}.queue"], out[f"{name}.teacher"], out[f"{name}.student"] = queue.clone(), teacher, student
    losses, floors, gradients, agreements = [], [], [], []
    position = 0
    for t, s in zip(teacher.double(), student.double()):
        s.requires_grad_()
        columns = queue.double()
        logits = torch.cat([(s * t).sum(1, keepdim=True), s @ columns.T], 1) / student_t
        if teacher_t is None:
            loss = torch.nn.functional.cross_entropy(logits, torch.zeros(N, dtype=torch.long), reduction="none")
            floor = torch.zeros(N)
            agreement = logits.argmax(1) == 0
        else:
            targets = torch.cat([(t * t).sum(1, keepdim=True), t @ columns.T], 1) / teacher_t
            p = torch.softmax(targets, 1)
            loss = -(p * torch.log_softmax(logits, 1)).sum(1)
            floor = -torch.special.xlogy(p, p).sum(1)
            agreement = logits.argmax(1) == targets.argmax(1)
        loss.mean().backward()
        losses.append(loss.detach()), floors.append(floor), gradients.append(s.grad), agreements.append(agreement)
        for row in t.float():
            queue[position] = row
            position = (position + 1) % K
    for key, values in dict(loss=losses, floor=floors, gradient=gradients, agreement=agreements).items():
        out[f"{name}.{key}"] = torch.stack(values).float()
    out[f"{name}.end"] = queue


queue_case("seed", 6, 8, 16, 37, 0.2, 0.01, near=0.5, repeat=True)
queue_case("seed-cold", 6, 8, 16, 37, 0.2, 1e-4, near=0.5)
queue_case("seed-large-batch", 2, 45, 16, 37, 0.2, 0.05, near=0.8, repeat=True)
queue_case("seed-wide", 1, 20, 32, 1100, 0.05, 0.07, near=0.3)
queue_case("moco", 6, 8, 16, 37, 0.2, None, near=0.3)

# Supervised contrastive: classes of unequal size, one of a single row, rows without a class.
M, D, temperature = 24, 16, 0.1
labels = torch.tensor([0] * 7 + [1] * 5 + [2] * 2 + [3] + [-1] * 3 + [4] * 6)[torch.randperm(M)]
z = unit(torch.randn(M, D)).float()
x = z.double().requires_grad_()
logits = x @ x.T / temperature
logits = logits.masked_fill(torch.eye(M, dtype=torch.bool), -math.inf)
positive = (labels[:, None] == labels[None]) & ~torch.eye(M, dtype=torch.bool) & (labels >= 0)[:, None]
log_p = torch.log_softmax(logits, 1).masked_fill(~positive, 0)
count = positive.sum(1)
loss = -log_p.sum(1)[count > 0] / count[count > 0]
loss.mean().backward()
rows = torch.zeros(M, dtype=torch.double)
rows[count > 0] = loss.detach()
out["supervised.embeddings"], out["supervised.labels"] = z, labels.int()
out["supervised.loss"], out["supervised.gradient"] = rows.float(), x.grad.float()

# Rows brought to unit length, and back.
x = (torch.randn(5, 7) * torch.tensor([[1.0], [1e-3], [50], [3], [0.2]])).float()
v = x.double().requires_grad_()
y = torch.nn.functional.normalize(v, dim=1)
dy = torch.randn(5, 7).float()
y.backward(dy.double())
out["unit.x"], out["unit.dy"], out["unit.y"], out["unit.dx"] = x, dy, y.detach().float(), v.grad.float()

# torch.optim.SGD in float32: six steps of two parameters with given gradients and a rate that changes.
parameters = [torch.nn.Parameter(torch.randn(13)), torch.nn.Parameter(torch.randn(4, 5))]
out["sgd.begin"] = torch.cat([p.detach().flatten() for p in parameters])
optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=1e-2)
gradients, values, rates = [], [], [0.1, 0.1, 0.05, 0.2, 0.01, 0.03]
for rate in rates:
    optimizer.param_groups[0]["lr"] = rate
    for p in parameters:
        p.grad = torch.randn_like(p)
    gradients.append(torch.cat([p.grad.flatten() for p in parameters]))
    optimizer.step()
    values.append(torch.cat([p.detach().flatten() for p in parameters]))
out["sgd.gradients"], out["sgd.values"] = torch.stack(gradients), torch.stack(values)
out["sgd.momentum"] = torch.cat([optimizer.state[p]["momentum_buffer"].flatten() for p in parameters])
out["sgd.rates"] = torch.tensor(rates)

save_file({k: v.contiguous() for k, v in sorted(out.items())}, pathlib.Path(__file__).with_suffix(".safetensors"))
