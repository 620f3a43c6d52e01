"""Numbers of every network that can be trained, for NetworksTests: python3 all_networks.py

Of each the number of parameters without its head, as torchvision and the definitions in networks.py have it, and some of its pooled features; of those that networks.py has no
numbers of, outputs and gradients too, as there. The widest have fewer blocks and stages here, so that they fit into memory.
"""
import pathlib

import numpy as np
import torch
import torchvision
from safetensors.numpy import save_file
from torch import nn

from networks import gradients, network, tensor, unfilled

# Images, height, width.
SIZES = {
    "resnet18": (3, 45, 71), "resnet34": (2, 48, 64), "resnet50": (2, 64, 64), "resnet101": (2, 64, 64), "resnet152": (2, 64, 64), "resnet50-same": (2, 75, 75),
    "wide-resnet50-2": (2, 64, 64), "wide-resnet101-2": (2, 64, 64), "resnet50-w2": (2, 64, 64), "mobilenet-v2": (2, 97, 75), "mobilenet-v3-small": (2, 97, 75),
    "mobilenet-v3-large": (2, 97, 75), "efficientnet-b0": (2, 75, 97), "efficientnet-b1": (2, 75, 97), "efficientnet-b2": (2, 75, 97), "efficientnet-b3": (2, 75, 97),
    "efficientnet-lite0": (2, 75, 75), "efficientnet-lite1": (2, 66, 66), "efficientnet-lite2": (2, 66, 66), "regnet-y-400mf": (2, 75, 97), "regnet-y-800mf": (2, 75, 97),
    "regnet-y-1.6gf": (2, 75, 97), "regnet-y-3.2gf": (2, 75, 97), "regnet-y-8gf": (2, 64, 64), "regnet-y-16gf": (2, 64, 64), "seed-mobilenet-v3-large": (2, 97, 75),
    "seed-efficientnet-b0": (2, 75, 97), "seed-efficientnet-b1": (2, 75, 97), "small-resnet18": (2, 33, 27), "tiny-resnet18": (2, 33, 27), "tiny-resnet10": (2, 33, 27),
    "resnet18-small-stem": (2, 33, 27), "resnet34-small-stem": (2, 33, 27), "resnet50-small-stem": (2, 32, 32),
}
WIDEST = ["resnet50-w4", "resnet50-w5", "regnet-y-32gf", "regnet-y-64gf", "regnet-y-128gf", "regnet-y-256gf"]
OTHER_STEMS = [f"{name}-small-stem" for name in ("resnet101", "resnet152", "resnet50-w2", "resnet50-w4", "resnet50-w5", "wide-resnet50-2", "wide-resnet101-2")]
# Of these outputs and gradients; blocks of each stage, None for all.
TRAINED = [
    ("resnet152", None, 2, 64, 64), ("wide-resnet101-2", (1, 1, 2, 1), 2, 64, 64), ("resnet50-w4", (1, 1, 1), 2, 64, 64), ("resnet50-w5", (1, 1, 1), 2, 48, 64),
    ("efficientnet-b2", None, 3, 75, 97), ("efficientnet-lite1", None, 4, 66, 66), ("regnet-y-3.2gf", None, 3, 64, 64), ("regnet-y-32gf", (1, 1, 1, 1), 2, 64, 64),
    ("regnet-y-64gf", (1, 1, 1), 2, 48, 64), ("regnet-y-128gf", (1, 1, 1), 2, 64, 48), ("regnet-y-256gf", (1, 1, 1), 2, 48, 48), ("tiny-resnet18", None, 5, 33, 27),
    ("resnet34-small-stem", None, 3, 33, 27), ("resnet101-small-stem", (1, 1, 2, 1), 2, 32, 32), ("resnet152-small-stem", (1, 2, 1, 1), 2, 33, 27),
    ("resnet50-w2-small-stem", (1, 1, 1), 2, 32, 32), ("resnet50-w4-small-stem", (1, 1), 2, 17, 24), ("resnet50-w5-small-stem", (1, 1), 2, 16, 16),
    ("wide-resnet50-2-small-stem", (1, 1, 1), 2, 33, 27), ("wide-resnet101-2-small-stem", (1, 2, 1), 2, 32, 32),
]


def key_of(name, depths, N, H, W):
    return f"{name}.{'all' if depths is None else '-'.join(map(str, depths))}.{N}.{H}.{W}"


def without_head(made):
    if hasattr(made, "_fc"):
        made._fc = nn.Identity()
    elif hasattr(made, "fc"):
        made.fc = nn.Identity()
    else:
        made.classifier[-1] = nn.Identity()
    return made


def pictures(N, H, W):
    return tensor("pictures", N, H, W, 3).permute(0, 3, 1, 2).double()


def some(features):
    """Of each image the length of its features and every sixteenth part one of them."""
    return torch.cat([features.norm(dim=1, keepdim=True), features[:, :: features.shape[1] // 16][:, :16]], 1).numpy()


def on_cpu(function):
    """torchvision finds a RegNet's widths with tensors, which have no numbers on the device `meta`."""
    def call(*arguments, **options):
        with torch.device("cpu"):
            return function(*arguments, **options)
    return call


def main():
    torch.manual_seed(0)
    out = {}
    blocks = torchvision.models.regnet.BlockParams
    blocks.from_init_params = staticmethod(on_cpu(blocks.from_init_params))
    with torch.device("meta"):
        for name in [*SIZES, *WIDEST, *OTHER_STEMS]:
            out[f"{name}.parameters"] = np.array(sum(value.numel() for value in without_head(unfilled(name)).parameters()))
    for name, (N, H, W) in SIZES.items():
        with torch.no_grad():
            out[f"{key_of(name, None, N, H, W)}.features"] = some(without_head(network(name)).double().eval()(pictures(N, H, W)))
    for name, depths, N, H, W in TRAINED:
        key, made = key_of(name, depths, N, H, W), network(name, depths=depths).double()
        made.eval()
        with torch.no_grad():
            out[key + ".inference"] = made(pictures(N, H, W)).numpy()
        made.train()
        y = made(pictures(N, H, W))
        out[key + ".training"] = y.detach().numpy()
        (y * tensor("gradient", N, 128).double()).sum().backward()
        out[key + ".gradients"] = gradients(made)
        if depths is not None:
            made = without_head(network(name, depths=depths)).double().eval()
            with torch.no_grad():
                out[key + ".features"] = some(made(pictures(N, H, W)))
        print(key, flush=True)
    save_file(out, pathlib.Path(__file__).with_name("all-networks.safetensors"), metadata={"torch": torch.__version__})
    print(sum(a.nbytes for a in out.values()), "bytes")


if __name__ == "__main__":
    main()
