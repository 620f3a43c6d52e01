"""Numbers of PyTorch's layers for LayersTests and NetworksTests: python3 layers.py

All is computed in double precision. Weights and inputs come from the formula of networks.py.
"""
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file
from torch import nn

from networks import Small, fill, tensor

out = {}


def put(name, value):
    out[name] = value.detach().float().contiguous()


# Grouped convolutions: (N, H, W, C, K, window, stride, groups).
for N, H, W, C, K, R, stride, groups in [(2, 9, 7, 24, 40, 3, 2, 4), (3, 6, 6, 32, 32, 3, 1, 2), (2, 5, 8, 12, 6, 5, 1, 6)]:
    key = f"grouped.{C}.{K}.{groups}"
    x = tensor("x", N, H, W, C).double().requires_grad_()
    w = tensor("W", K, R, R, C // groups).double().requires_grad_()
    y = F.conv2d(x.permute(0, 3, 1, 2), w.permute(0, 3, 1, 2), stride=stride, padding=R // 2, groups=groups).permute(0, 2, 3, 1)
    y.backward(tensor("dy", *y.shape).double())
    put(key + ".y", y)
    put(key + ".dx", x.grad)
    put(key + ".dW", w.grad)

# Activations that torchvision's networks have, with their derivatives.
z = (8 * tensor("z", 400)).double().requires_grad_()
y = F.relu6(z)
y.backward(torch.ones_like(z))
put("relu6.y", y)
put("relu6.dz", z.grad)

# A network of images of one channel, with a head of every kind of layer: SimCLR's and BYOL's have such, and SwAV's ends at unit length.
network = Small([1, 1, 1, 1], 16)
network.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
network.fc = nn.Sequential(
    nn.Linear(128, 96, bias=False), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 32), nn.BatchNorm1d(32, affine=False))
with torch.no_grad():
    fill(network)
    network.fc[1].weight.copy_(1 + 0.2 * tensor("fc.1.weight", 96))
network.double()
x = tensor("images", 6, 20, 24, 1).double().permute(0, 3, 1, 2)
network.eval()
with torch.no_grad():
    put("head.inference", F.normalize(network(x)))
network.train()
y = F.normalize(network(x))
put("head.training", y)
y.backward(tensor("gradient", 6, 32).double())
for name, value in network.named_parameters():
    if name.startswith("fc.") or name == "conv1.weight":
        put("head.gradient." + name, value.grad)
put("head.running_mean", network.fc[4].running_mean)
put("head.running_var", network.fc[4].running_var)
save_file(out, "layers.safetensors")
