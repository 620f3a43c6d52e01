"""Loads a checkpoint of ours into torchvision's network and prints its embeddings of the tensor `pictures` (N, H, W, 3):
python3 load_checkpoint.py resnet18 student.safetensors images.safetensors. CheckpointsTests runs it where PyTorch is at hand."""
import sys
import torch
import torchvision
from safetensors.torch import load_file
from torch import nn

state = load_file(sys.argv[2])
head = {"resnet18": "fc", "mobilenet_v3_large": "classifier.3", "efficientnet_b0": "classifier.1"}[sys.argv[1]]
create = getattr(torchvision.models, sys.argv[1])
if head + ".weight" in state:
    network = create(num_classes=state[head + ".weight"].shape[0])
else:
    network = create()
    first, last = state[head + ".0.weight"], state[head + ".2.weight"]
    network.set_submodule(
        head, nn.Sequential(nn.Linear(first.shape[1], first.shape[0]), nn.ReLU(), nn.Linear(last.shape[1], last.shape[0])))
network.load_state_dict(state)  # Strict: every name, no more and no fewer.
network.double().eval()
with torch.no_grad():
    y = network(load_file(sys.argv[3])["pictures"].permute(0, 3, 1, 2).double())
print(*(f"{v:.17g}" for v in y.flatten().tolist()))
