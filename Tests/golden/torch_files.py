"""Writes torch-zip.pth, torch-legacy.pth and torch-files.safetensors: small tensors as PyTorch saves them, and what they are. pip install torch safetensors

`torch_files.py LAYOUTS-FOLDER` writes checkpoints of a ResNet-18 instead, in the layouts of other programs and both formats, with the names and the
nesting that those programs' own code gives them, and expected.safetensors. Strings of names are those of the programs, not of our tables.
"""
import argparse
import collections
import pathlib
import sys

import torch
import torch.nn as nn
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent


def small():
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 8 - 1
    state = collections.OrderedDict()
    state["plain"] = base.clone()
    state["transposed"] = base.t()
    state["part"] = base[1:3, 2:5]
    state["every second"] = base[:, ::2]
    state["channels last"] = torch.arange(2 * 3 * 2 * 2, dtype=torch.float32).reshape(2, 3, 2, 2).to(memory_format=torch.channels_last)
    state["parameter"] = nn.Parameter(torch.tensor([1.5, -2.0]))
    state["scalar"] = torch.tensor(7, dtype=torch.int64)
    state["empty"] = torch.zeros(0, 3)
    for name, dtype in [("f64", torch.float64), ("f16", torch.float16), ("bf16", torch.bfloat16), ("i32", torch.int32), ("i16", torch.int16), ("i8", torch.int8), ("u8", torch.uint8)]:
        state[name] = torch.tensor([1, 2, 100]).to(dtype)
    state["bool"] = torch.tensor([True, False, True])
    return {
        "epoch": 3, "best": 0.5, "large": 1 << 80, "negative": -5, "arch": "résnet", "args": argparse.Namespace(lr=0.1, out=pathlib.PosixPath("x")), "nothing": None,
        "state_dict": state, "list": [torch.tensor([1.0]), {"deep": torch.tensor([2.0])}], "optimizer": {"state": {0: {"momentum_buffer": torch.ones(2)}}, "param_groups": [{"params": [0], "lr": 0.1}]},
    }


def flat(value, name=""):
    if isinstance(value, torch.Tensor):
        yield name, value.detach().clone().contiguous()
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from flat(inner, f"{name}.{index}")


def layouts(folder):
    import torchvision

    torch.manual_seed(0)
    network = torchvision.models.resnet18(weights=None)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(), module.running_var.uniform_(0.5, 2), module.weight.data.uniform_(0.5, 1.5), module.bias.data.normal_()
    trunk = {key: value.clone() for key, value in network.state_dict().items() if not key.startswith("fc.")}

    def named(prefix, *states):
        return {prefix + key: value for state in states for key, value in state.items()}

    def layers(*modules):
        return {key: value.clone() for key, value in nn.Sequential(*modules).state_dict().items()}

    mlp = layers(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 128))
    normed = layers(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 128))
    line = {"weight": torch.randn(128, 512), "bias": torch.randn(128)}
    three = layers(nn.Linear(512, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 32, bias=False))
    v3 = layers(nn.Linear(512, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 32, bias=False), nn.BatchNorm1d(32, affine=False))
    queue = {"module.queue": torch.randn(128, 64), "module.queue_ptr": torch.zeros(1, dtype=torch.long)}
    optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    network(torch.randn(2, 3, 64, 64)).sum().backward()
    optimizer.step()
    optimizer = optimizer.state_dict()
    numbers = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}
    files = {
        "moco-v1": {"epoch": 200, "arch": "resnet18", "state_dict": {**named("module.encoder_q.", trunk, named("fc.", line)), **named("module.encoder_k.", trunk, named("fc.", line)), **queue}, "optimizer": optimizer},
        "moco-v2": {"epoch": 200, "arch": "resnet18", "state_dict": {**named("module.encoder_q.", trunk, named("fc.", mlp)), **named("module.encoder_k.", trunk, named("fc.", mlp)), **queue}, "optimizer": optimizer},
        "moco-v3": {"state_dict": {**named("module.base_encoder.", trunk, named("fc.", v3)), **named("module.momentum_encoder.", trunk), "module.predictor.0.weight": torch.randn(4, 4)}},
        "simclr-of-seed": {"model": named("module.module.module.", trunk, named("fc.", normed))},
        "seed-student": {"state_dict": {**named("module.student.", trunk, named("fc.", mlp)), **named("module.teacher.", trunk, named("fc.", mlp)), **queue}},
        "swav": {**named("module.", trunk, named("projection_head.", normed)), "module.prototypes.weight": torch.randn(300, 128)},
        "swav-w5-head": {**named("module.", trunk, named("projection_head.", mlp)), "module.prototypes.weight": torch.randn(300, 128)},
        "deepcluster-v2": {**named("module.", trunk, named("projection_head.", normed)), "module.prototypes.prototypes0.weight": torch.randn(300, 128)},
        "simsiam": {"state_dict": {**named("module.encoder.", trunk, named("fc.", mlp)), "module.predictor.0.weight": torch.randn(4, 4)}, "optimizer": optimizer},
        "barlow-twins": {"epoch": 1, "model": {**named("module.backbone.", trunk), **named("module.projector.", three), "module.bn.running_mean": torch.zeros(32)}, "optimizer": optimizer},
        "barlow-twins-backbone": trunk,
        "dino": {"student": {**named("module.backbone.", trunk), "module.head.last_layer.weight_v": torch.randn(4, 4)}, "teacher": {**named("backbone.", trunk), "head.last_layer.weight_v": torch.randn(4, 4), "head.mlp.0.weight": torch.randn(4, 4)}, "args": argparse.Namespace(lr=1), "epoch": 3},
        "openselfsup": {"state_dict": {**named("backbone.", trunk), "neck.fc0.weight": torch.randn(64, 512), **named("neck.bn0.", nn.BatchNorm1d(64).state_dict()), "neck.fc1.weight": torch.randn(32, 64), **named("neck.bn1.", nn.BatchNorm1d(32).state_dict())}},
        "vissl": {"classy_state_dict": {"base_model": {"model": {"trunk": named("_feature_blocks.", trunk), "heads": {"0.clf.0.weight": torch.randn(64, 512), "0.clf.0.bias": torch.randn(64), "1.clf.0.weight": torch.randn(32, 64), "1.clf.0.bias": torch.randn(32)}}}}},
        "lightly": {"state_dict": {f"backbone.{numbers[key.split('.')[0]]}.{key.split('.', 1)[1]}": value for key, value in trunk.items()}},
        "solo-learn": {"state_dict": {**named("backbone.", trunk), **named("projector.", mlp), "classifier.weight": torch.randn(10, 512), "classifier.bias": torch.randn(10)}},
        "compiled": {"state_dict": named("_orig_mod.module.", trunk, named("fc.", line))},
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        torch.save(file, folder / f"{name}.pth")
        torch.save(file, folder / f"{name}.legacy.pth", _use_new_zipfile_serialization=False)
    save_file(trunk, folder / "expected.safetensors")


if len(sys.argv) > 1:
    layouts(pathlib.Path(sys.argv[1]))
else:
    value = small()
    torch.save(value, here / "torch-zip.pth")
    torch.save(value, here / "torch-legacy.pth", _use_new_zipfile_serialization=False)
    save_file(dict(flat(value)), here / "torch-files.safetensors")
