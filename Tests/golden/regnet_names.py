"""Names of RegNetY-400MF's tensors in torchvision, in transformers, in VISSL and in timm, line by line, and of EfficientNet-B0's in torchvision and timm:
python3 regnet_names.py; pip install torch torchvision transformers timm

That the lines belong together is tried: the networks give the same features of the same images. VISSL's network is ClassyVision's, restated here with
the names of its modules.
"""
import pathlib

import timm
import torch
import torchvision
from torch import nn
from transformers import RegNetConfig, RegNetModel


def normed(c, out, kernel, stride=1, groups=1):
    return nn.Sequential(nn.Conv2d(c, out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(out), nn.ReLU())


class Excite(nn.Module):
    def __init__(self, c, hidden):
        super().__init__()
        self.excitation = nn.Sequential(nn.Conv2d(c, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, c, 1), nn.Sigmoid())

    def forward(self, x):
        return x * self.excitation(x.mean((2, 3), keepdim=True))


class Block(nn.Module):
    def __init__(self, c, width, stride, group):
        super().__init__()
        if c != width or stride != 1:
            self.proj, self.bn = nn.Conv2d(c, width, 1, stride, bias=False), nn.BatchNorm2d(width)
        self.f = nn.Sequential()
        self.f.add_module("a", normed(c, width, 1))
        self.f.add_module("b", normed(width, width, 3, stride, width // group))
        self.f.add_module("se", Excite(width, round(0.25 * c)))
        self.f.add_module("c", nn.Conv2d(width, width, 1, bias=False))
        self.f.add_module("final_bn", nn.BatchNorm2d(width))

    def forward(self, x):
        return torch.relu((self.bn(self.proj(x)) if hasattr(self, "proj") else x) + self.f(x))


class Classy(nn.Module):
    def __init__(self, widths, depths, group):
        super().__init__()
        stem = nn.Module()
        stem.stem = normed(3, 32, 3, 2)
        blocks, c = {"conv1": stem}, 32
        for stage, (width, depth) in enumerate(zip(widths, depths)):
            own = nn.Sequential()
            for index in range(depth):
                own.add_module(f"block{stage + 1}-{index}", Block(c, width, 2 if index == 0 else 1, group))
                c = width
            blocks[f"res{stage + 2}"] = own
        self._feature_blocks = nn.ModuleDict(blocks)

    def forward(self, x):
        x = self._feature_blocks["conv1"].stem(x)
        for name, block in self._feature_blocks.items():
            x = x if name == "conv1" else block(x)
        return x.mean((2, 3))


torch.manual_seed(0)
widths, depths, group = [48, 104, 208, 440], [1, 3, 6, 6], 8
first = torchvision.models.regnet_y_400mf()
first.fc = nn.Identity()
for module in first.modules():
    if isinstance(module, nn.BatchNorm2d):
        module.running_mean.normal_(), module.running_var.uniform_(0.5, 2)
transformers = RegNetModel(RegNetConfig(embedding_size=32, hidden_sizes=widths, depths=depths, groups_width=group, layer_type="y"))
classy = Classy(widths, depths, group)
names = {"torchvision": list(first.state_dict())}
for name, network in [("transformers", transformers), ("vissl", classy)]:
    own = network.state_dict()
    assert [value.shape for value in own.values()] == [value.shape for value in first.state_dict().values()]
    network.load_state_dict(dict(zip(own, first.state_dict().values())))
    names[name] = list(own)
# timm has the shortcut behind the rest of a block.
of_timm = timm.create_model("regnety_004", num_classes=0)
own = {}
for name in of_timm.state_dict():
    block = ".".join(name.split(".")[:2])
    own.setdefault(block, []).append(name)
order = [name for block in own.values() for name in sorted(block, key=lambda name: ".downsample." not in name)]
of_timm.load_state_dict(dict(zip(order, first.state_dict().values())))
names["timm"] = order
images = torch.randn(2, 3, 64, 64)
with torch.no_grad():
    features = first.eval()(images)
    for other in [transformers.eval()(images).pooler_output.flatten(1), classy.eval()(images), of_timm.eval()(images)]:
        assert (features - other).abs().max() < 1e-5 * features.abs().max()
lines = [line for line in zip(*names.values()) if not line[0].endswith("num_batches_tracked")]
pathlib.Path(__file__).with_name("regnet-names.tsv").write_text("".join("\t".join(line) + "\n" for line in [tuple(names), *lines]))
print(len(lines), "tensors")

first, other = torchvision.models.efficientnet_b0(), timm.create_model("efficientnet_b0", num_classes=0)
first.classifier = nn.Identity()
for module in first.modules():
    if isinstance(module, nn.BatchNorm2d):
        module.running_mean.normal_(), module.running_var.uniform_(0.5, 2)
assert [value.shape for value in other.state_dict().values()] == [value.shape for value in first.state_dict().values()]
other.load_state_dict(dict(zip(other.state_dict(), first.state_dict().values())))
with torch.no_grad():
    features = first.eval()(images)
    assert (features - other.eval()(images)).abs().max() < 1e-4 * features.abs().max()
lines = [line for line in zip(first.state_dict(), other.state_dict()) if not line[0].endswith("num_batches_tracked")]
pathlib.Path(__file__).with_name("timm-names.tsv").write_text("".join("\t".join(line) + "\n" for line in lines))
print(len(lines), "tensors")
