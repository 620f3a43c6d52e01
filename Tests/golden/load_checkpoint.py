"""Loads a checkpoint of ours into torchvision's ResNet-18 and prints its embeddings of the tensor `pictures` (N, H, W, 3):
python3 load_checkpoint.py student.safetensors pictures.safetensors. CheckpointsTests runs it where PyTorch is at hand."""
import sys
import torch
import torchvision
from safetensors.torch import load_file
from torch import nn

state = load_file(sys.argv[1])
network = torchvision.models.resnet18()
network.fc = nn.Sequential(
    nn.Linear(512, state["fc.0.weight"].shape[0]), nn.ReLU(), nn.Linear(*reversed(state["fc.2.weight"].shape)))
network.load_state_dict(state)  # Strict: every name, no more and no fewer.
network.double().eval()
with torch.no_grad():
    y = network(load_file(sys.argv[2])["pictures"].permute(0, 3, 1, 2).double())
print(*(f"{v:.17g}" for v in y.flatten().tolist()))
