"""Four steps of BYOL (Grill et al., NeurIPS 2020) by SGD for TrainingTests: python3 byol.py

A network that is trained beside the student, and passes that read others' outputs. In double precision, from the formula of networks.py.
"""
import copy

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from networks import Small, fill, tensor

N, H, D = 6, 20, 24


def mlp(inputs):
    return nn.Sequential(nn.Linear(inputs, 40), nn.BatchNorm1d(40), nn.ReLU(), nn.Linear(40, D))


student = Small([1, 1, 1, 1], 16)
student.fc = mlp(128)
predictor = mlp(D)
with torch.no_grad():
    fill(student)
    fill(predictor)
    student.fc[1].weight.copy_(1 + 0.2 * tensor("fc.1.weight", 40))
student.double().train()
predictor.double().train()
target = copy.deepcopy(student)
optimizer = torch.optim.SGD([*student.parameters(), *predictor.parameters()], 0.05, momentum=0.9, weight_decay=1e-4)
mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1).double()
deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1).double()
losses = []
for step in range(4):
    u = tensor(f"images.{step}", N, 2, H, H, 3)
    images = (((u + 1) * 127.5).floor().clamp(0, 255).permute(0, 1, 4, 2, 3).double() / 255 - mean) / deviation
    with torch.no_grad():
        for t, s in zip(target.parameters(), student.parameters()):
            t.mul_(0.9).add_(s, alpha=1 - 0.9)
        targets = [F.normalize(target(images[:, view])) for view in range(2)]
    predictions = [F.normalize(predictor(student(images[:, view]))) for view in range(2)]
    loss = sum((2 - 2 * (predictions[view] * targets[1 - view]).sum(1)).mean() for view in range(2))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(losses)
save_file({"losses": torch.tensor(losses).double(), "predictor.0.weight": predictor[0].weight.detach().float().contiguous()}, "byol.safetensors")
