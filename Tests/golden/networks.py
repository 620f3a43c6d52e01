"""Numbers of torchvision's networks for NetworksTests and TrainingTests: python3 networks.py

Weights and images come from a formula over their names, so that no large file is needed. Gradients are kept as their length and four
projections on directions from the same formula. All is computed in double precision, but for the ten training steps, which
PyTorch makes in single precision as a user would.
"""
import math
import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from safetensors.numpy import save_file
from torch import nn


def formula(name, count):
    """Numbers in [-1, 1) that look random: a hash of (name, i)."""
    h = 2166136261
    for byte in name.encode():
        h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
    x = (np.arange(count, dtype=np.uint64) * 2654435761 + h) & 0xFFFFFFFF
    x ^= x >> 15
    x = (x * 2246822519) & 0xFFFFFFFF
    x ^= x >> 13
    x = (x * 3266489917) & 0xFFFFFFFF
    x ^= x >> 16
    return (x.astype(np.float64) / 2**31 - 1).astype(np.float32)


def tensor(name, *shape):
    return torch.from_numpy(formula(name, math.prod(shape)).reshape(shape))


def fill(network):
    """Weights of the size that training has. Biases of batch norm are near 3 or, for every fourth channel, near -3, so that no value
    lies on a rectifier's kink, where the gradients of any two programs differ; before an h-swish, which has kinks at 3 and -3, near 1.5."""
    for name, value in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        u = tensor(name, *value.shape)
        if value.dim() == 4:
            u = u * math.sqrt(6 / (value.shape[0] * value.shape[2] * value.shape[3]))
        elif value.dim() == 2:
            u = u / math.sqrt(value.shape[1])
        elif name.endswith("running_var"):
            u = 1 + 0.5 * u
        elif name.endswith("running_mean") or name.startswith(("fc.", "classifier.", "_fc.")) or ".fc" in name:
            u = 0.1 * u
        elif name.endswith("bias") and name.startswith(("features.", "conv.")):
            u = 1.5 + 0.1 * u
        elif name.endswith("bias"):
            u = 0.1 * u + torch.where(torch.arange(u.numel()) % 4 == 3, -3, 3)
        else:
            u = 1 + 0.2 * u
        value.copy_(u)


class Small(torchvision.models.ResNet):
    """The narrow networks for small images: 3x3 stem without pooling."""

    def __init__(self, depths, width):
        super().__init__(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1])
        self.inplanes = width
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.Identity()
        block = torchvision.models.resnet.BasicBlock
        self.layer1 = self._make_layer(block, width, depths[0])
        self.layer2 = self._make_layer(block, 2 * width, depths[1], stride=2)
        self.layer3 = self._make_layer(block, 4 * width, depths[2], stride=2)
        self.layer4 = self._make_layer(block, 8 * width, depths[3], stride=2)
        self.fc = nn.Linear(8 * width, 1)


class Same(nn.Conv2d):
    """TensorFlow's SAME padding: ceil(size / stride) outputs, the smaller half of the zeros first."""

    def forward(self, x):
        total = [max((math.ceil(i / s) - 1) * s + k - i, 0) for i, k, s in zip(x.shape[2:], self.kernel_size, self.stride)]
        x = F.pad(x, [total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2])
        return F.conv2d(x, self.weight, None, self.stride, 0, 1, self.groups)


class SamePool(nn.MaxPool2d):
    """The same for a maximum, which no padding is."""

    def forward(self, x):
        total = [max((math.ceil(i / 2) - 1) * 2 + 3 - i, 0) for i in x.shape[2:]]
        x = F.pad(x, [total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2], value=-math.inf)
        return F.max_pool2d(x, 3, 2)


class Fixed(nn.Conv2d):
    """SAME padding of an image of `size`, whatever the size of what it gets."""

    def __init__(self, size, *sizes, **options):
        super().__init__(*sizes, **options)
        self.total = max((math.ceil(size / self.stride[0]) - 1) * self.stride[0] + self.kernel_size[0] - size, 0)

    def forward(self, x):
        first, last = self.total // 2, self.total - self.total // 2
        return F.conv2d(F.pad(x, [first, last, first, last]), self.weight, self.bias, self.stride, 0, 1, self.groups)


class SEEDBlock(nn.Module):
    """A block of SEED's EfficientNets, on images of `size` if the network's have the size that it is padded for."""

    def __init__(self, size, c, expansion, kernel, stride, out):
        super().__init__()
        inner, after = c * expansion, math.ceil(size / stride)
        if expansion > 1:
            self._expand_conv, self._bn0 = Fixed(size, c, inner, 1, bias=False), nn.BatchNorm2d(inner, 1e-3, 0.01)
        self._depthwise_conv, self._bn1 = Fixed(size, inner, inner, kernel, stride, groups=inner, bias=False), nn.BatchNorm2d(inner, 1e-3, 0.01)
        self._se_reduce, self._se_expand = nn.Conv2d(inner, max(1, int(c * 0.25)), 1), nn.Conv2d(max(1, int(c * 0.25)), inner, 1)
        self._project_conv, self._bn2 = Fixed(after, inner, out, 1, bias=False), nn.BatchNorm2d(out, 1e-3, 0.01)
        self.adds = stride == 1 and c == out

    def forward(self, x):
        y = F.silu(self._bn0(self._expand_conv(x))) if hasattr(self, "_bn0") else x
        y = F.silu(self._bn1(self._depthwise_conv(y)))
        y = torch.sigmoid(self._se_expand(F.silu(self._se_reduce(F.adaptive_avg_pool2d(y, 1))))) * y
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class SEEDEfficientNet(nn.Module):
    """SEED's EfficientNets, but for stochastic depth and dropout."""

    def __init__(self, depth, size):
        super().__init__()
        rows = [(1, 3, 1, 1, 32, 16), (2, 3, 2, 6, 16, 24), (2, 5, 2, 6, 24, 40), (3, 3, 2, 6, 40, 80), (3, 5, 1, 6, 80, 112), (4, 5, 2, 6, 112, 192), (1, 3, 1, 6, 192, 320)]
        self._conv_stem, self._bn0 = Fixed(size, 3, 32, 3, 2, bias=False), nn.BatchNorm2d(32, 1e-3, 0.01)
        size, blocks = math.ceil(size / 2), []
        for repeats, kernel, stride, expansion, c, out in rows:
            for i in range(math.ceil(repeats * depth)):
                step = stride if i == 0 else 1
                blocks.append(SEEDBlock(size, c if i == 0 else out, expansion, kernel, step, out))
                size = math.ceil(size / step)
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = Fixed(size, 320, 1280, 1, bias=False), nn.BatchNorm2d(1280, 1e-3, 0.01)
        self.fc = nn.Linear(1280, 1)

    def forward(self, x):
        x = F.silu(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return self.fc(F.silu(self._bn1(self._conv_head(x))).mean((2, 3)))


def divisible(width):
    near = max(8, int(width + 4) // 8 * 8)
    return near + 8 if near < 0.9 * width else near


class LinearSqueeze(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(c, divisible(c // 4)), nn.ReLU(), nn.Linear(divisible(c // 4), c))

    def forward(self, x):
        return x * (F.relu6(self.fc(x.mean((2, 3))) + 3) / 6)[:, :, None, None]


class SEEDMobileBlock(nn.Module):
    def __init__(self, c, inner, out, kernel, stride, squeezes, swishes):
        super().__init__()
        active, excite = (nn.Hardswish if swishes else nn.ReLU), (LinearSqueeze(inner) if squeezes else nn.Identity())
        own = [nn.Conv2d(inner, inner, kernel, stride, kernel // 2, groups=inner, bias=False), nn.BatchNorm2d(inner)]
        last = [nn.Conv2d(inner, out, 1, bias=False), nn.BatchNorm2d(out)]
        if c == inner:
            self.conv = nn.Sequential(*own, active(), excite, *last)
        else:
            self.conv = nn.Sequential(nn.Conv2d(c, inner, 1, bias=False), nn.BatchNorm2d(inner), active(), *own, excite, active(), *last)
        self.adds = stride == 1 and c == out

    def forward(self, x):
        return x + self.conv(x) if self.adds else self.conv(x)


class SEEDMobileNet(nn.Module):
    """SEED's MobileNetV3-Large, but for dropout."""

    def __init__(self):
        super().__init__()
        rows = [(3, 1, 16, 0, 0, 1), (3, 4, 24, 0, 0, 2), (3, 3, 24, 0, 0, 1), (5, 3, 40, 1, 0, 2), (5, 3, 40, 1, 0, 1), (5, 3, 40, 1, 0, 1), (3, 6, 80, 0, 1, 2), (3, 2.5, 80, 0, 1, 1),
                (3, 2.3, 80, 0, 1, 1), (3, 2.3, 80, 0, 1, 1), (3, 6, 112, 1, 1, 1), (3, 6, 112, 1, 1, 1), (5, 6, 160, 1, 1, 2), (5, 6, 160, 1, 1, 1), (5, 6, 160, 1, 1, 1)]
        features, c = [nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish())], 16
        for kernel, expansion, out, squeezes, swishes, stride in rows:
            inner = divisible(c * expansion)
            features.append(SEEDMobileBlock(c, inner, out, kernel, stride, squeezes, swishes))
            c = out
        self.features = nn.Sequential(*features)
        self.conv = nn.Sequential(nn.Conv2d(c, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.Hardswish())
        self.classifier = nn.Sequential(nn.Linear(inner, 1280), nn.Hardswish())
        self.fc = nn.Linear(1280, 1)

    def forward(self, x):
        return self.fc(self.classifier(self.conv(self.features(x)).mean((2, 3))))


class LiteBlock(nn.Module):
    def __init__(self, c, expansion, kernel, stride, out):
        super().__init__()
        inner = c * expansion
        if expansion > 1:
            self._expand_conv, self._bn0 = Same(c, inner, 1, bias=False), nn.BatchNorm2d(inner, 1e-3, 0.01)
        self._depthwise_conv, self._bn1 = Same(inner, inner, kernel, stride, groups=inner, bias=False), nn.BatchNorm2d(inner, 1e-3, 0.01)
        self._project_conv, self._bn2 = Same(inner, out, 1, bias=False), nn.BatchNorm2d(out, 1e-3, 0.01)
        self.adds = stride == 1 and c == out

    def forward(self, x):
        y = F.relu6(self._bn0(self._expand_conv(x))) if hasattr(self, "_bn0") else x
        y = self._bn2(self._project_conv(F.relu6(self._bn1(self._depthwise_conv(y)))))
        return x + y if self.adds else y


class Lite(nn.Module):
    """EfficientNet-Lite under the names of its port to PyTorch."""

    def __init__(self, width, depth):
        super().__init__()
        rows = [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)]
        self._conv_stem, self._bn0 = Same(3, 32, 3, 2, bias=False), nn.BatchNorm2d(32, 1e-3, 0.01)
        blocks, c = [], 32
        for index, (expansion, kernel, stride, out, count) in enumerate(rows):
            scaled = max(8, int(out * width + 4) // 8 * 8)
            scaled += 8 if scaled < 0.9 * out * width else 0
            for i in range(count if index in (0, 6) else math.ceil(count * depth)):
                blocks.append(LiteBlock(c, expansion, kernel, stride if i == 0 else 1, scaled))
                c = scaled
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = Same(c, 1280, 1, bias=False), nn.BatchNorm2d(1280, 1e-3, 0.01)
        self._fc = nn.Linear(1280, 1)

    def forward(self, x):
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return self._fc(F.relu6(self._bn1(self._conv_head(x))).mean((2, 3)))


def head(d, dimension):
    return nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, dimension))


def resnet(block, depths, width=64, inner=1, small=False):
    """torchvision's ResNet with all channels `width` / 64 times as many, the inner ones of a bottleneck `inner` times, and with the stem for small images;
    of fewer than four stages where `depths` has fewer."""
    made = torchvision.models.ResNet(block, [1, 1, 1, 1], width_per_group=64 * inner)
    made.inplanes = width
    made.conv1, made.bn1 = nn.Conv2d(3, width, *((3, 1, 1) if small else (7, 2, 3)), bias=False), nn.BatchNorm2d(width)
    if small:
        made.maxpool = nn.Identity()
    for stage in range(4):
        own = made._make_layer(block, width << stage, depths[stage], stride=1 if stage == 0 else 2) if stage < len(depths) else nn.Identity()
        setattr(made, f"layer{stage + 1}", own)
    made.fc = nn.Linear(made.inplanes, 1)
    return made


# Depth, w0, wa, wm, group width; SEER's, of which torchvision has one.
REGNETS = {
    "regnet-y-32gf": (20, 232, 115.89, 2.53, 232), "regnet-y-64gf": (20, 352, 147.48, 2.4, 328), "regnet-y-128gf": (27, 456, 160.83, 2.52, 264),
    "regnet-y-256gf": (27, 640, 230.83, 2.53, 373),
}


def regnet(depth, w0, wa, wm, group, depths=None):
    blocks = torchvision.models.regnet.BlockParams.from_init_params(depth=depth, w_0=w0, w_a=wa, w_m=wm, group_width=group, se_ratio=0.25)
    if depths is not None:
        for key in ("widths", "group_widths", "bottleneck_multipliers", "strides"):
            setattr(blocks, key, getattr(blocks, key)[:len(depths)])
        blocks.depths = list(depths)
    return torchvision.models.RegNet(blocks, norm_layer=lambda c: nn.BatchNorm2d(c))


def unfilled(name, dimension=128, depths=None):
    """A network as PyTorch begins it, with an MLP as its head; with `depths` blocks in its stages, where given."""
    plain = name.removesuffix("-small-stem")
    small = plain != name
    if name == "small-resnet18":
        made = Small([2, 2, 2, 2], 32)
    elif name == "tiny-resnet18":
        made = Small([2, 2, 2, 2], 16)
    elif name == "tiny-resnet10":
        made = Small([1, 1, 1, 1], 16)
    elif name.startswith("efficientnet-lite"):
        made = Lite(*{"0": (1, 1), "1": (1, 1.1), "2": (1.1, 1.2)}[name[-1]])
    elif name == "seed-mobilenet-v3-large":
        made = SEEDMobileNet()
    elif name.startswith("seed-efficientnet"):
        made = SEEDEfficientNet(*{"0": (1, 224), "1": (1.1, 240)}[name[-1]])
    elif name == "resnet50-same":
        made = torchvision.models.resnet50()
        for key, module in list(made.named_modules()):
            if isinstance(module, nn.Conv2d):
                parent = made.get_submodule(key.rpartition(".")[0]) if "." in key else made
                setattr(parent, key.rpartition(".")[2], Same(module.in_channels, module.out_channels, module.kernel_size, module.stride, bias=False))
        made.maxpool = SamePool(3)
    elif plain.startswith(("resnet", "wide-resnet")) and (small or depths or "-w" in plain):
        block = torchvision.models.resnet.BasicBlock if plain in ("resnet18", "resnet34") else torchvision.models.resnet.Bottleneck
        layers = {"18": [2, 2, 2, 2], "34": [3, 4, 6, 3], "50": [3, 4, 6, 3], "101": [3, 4, 23, 3], "152": [3, 8, 36, 3]}[plain.split("-w")[0].removeprefix("wide-").removeprefix("resnet").split("-")[0]]
        made = resnet(block, depths or layers, 64 * int(plain[-1]) if "-w" in plain else 64, 2 if plain.startswith("wide-") else 1, small)
    elif name in REGNETS:
        made = regnet(*REGNETS[name], depths)
    else:
        made = getattr(torchvision.models, name.replace("-", "_").replace(".", "_"))()
    if hasattr(made, "_fc"):
        made._fc = head(made._fc.in_features, dimension)
    elif hasattr(made, "fc"):
        made.fc = head(made.fc.in_features, dimension)
    else:
        made.classifier[-1] = head(made.classifier[-1].in_features, dimension)
    for module in made.modules():
        # What is left out at random is tested apart.
        if isinstance(module, (nn.Dropout, torchvision.ops.StochasticDepth)):
            module.p = 0.0
    return made


def network(name, dimension=128, depths=None):
    made = unfilled(name, dimension, depths)
    with torch.no_grad():
        fill(made)
    return made


def gradients(made):
    """Of each parameter the length of its gradient and four projections."""
    rows = []
    for parameter, value in made.named_parameters():
        g = value.grad
        rows.append([g.norm().item()] + [(g * tensor(f"{parameter}.{i}", *g.shape).double()).sum().item() for i in range(4)])
    return np.array(rows)


def main():
    torch.manual_seed(0)
    out = {}
    # Name, images, height, width: odd sizes and sides that differ.
    for name, N, H, W in [
        ("resnet18", 4, 64, 64), ("resnet18", 3, 45, 71), ("resnet34", 4, 48, 64), ("resnet50", 4, 64, 64),
        ("small-resnet18", 4, 32, 32), ("tiny-resnet10", 5, 33, 27),
        ("mobilenet-v3-large", 6, 64, 64), ("mobilenet-v3-large", 3, 97, 75), ("efficientnet-b0", 6, 64, 64), ("efficientnet-b0", 3, 75, 97),
        ("resnet101", 2, 64, 64), ("wide-resnet50-2", 2, 64, 64), ("resnet50-w2", 2, 64, 64), ("mobilenet-v2", 6, 64, 64), ("mobilenet-v2", 3, 97, 75),
        ("mobilenet-v3-small", 6, 64, 64), ("efficientnet-b1", 4, 64, 64), ("efficientnet-b3", 3, 64, 64), ("efficientnet-lite0", 6, 64, 64), ("efficientnet-lite0", 3, 75, 75),
        ("efficientnet-lite2", 4, 66, 66), ("regnet-y-400mf", 4, 64, 64), ("regnet-y-400mf", 3, 75, 97), ("regnet-y-800mf", 3, 64, 64), ("regnet-y-1.6gf", 3, 64, 64),
        ("regnet-y-8gf", 2, 64, 64), ("regnet-y-16gf", 2, 64, 64), ("seed-mobilenet-v3-large", 6, 64, 64), ("seed-mobilenet-v3-large", 3, 97, 75),
        ("seed-efficientnet-b0", 6, 64, 64), ("seed-efficientnet-b1", 3, 75, 97), ("resnet18-small-stem", 4, 33, 27), ("resnet50-small-stem", 2, 32, 32),
        ("resnet50-same", 4, 64, 64), ("resnet50-same", 2, 75, 75),
    ]:
        key = f"{name}.{N}.{H}.{W}"
        made = network(name).double()
        x = tensor("pictures", N, H, W, 3).permute(0, 3, 1, 2).double()
        made.eval()
        out[key + ".inference"] = made(x).detach().numpy()
        made.train()
        y = made(x)
        out[key + ".training"] = y.detach().numpy()
        (y * tensor("gradient", N, 128).double()).sum().backward()
        out[key + ".gradients"] = gradients(made)
        norms = [module for module in made.modules() if isinstance(module, nn.BatchNorm2d)]
        # The first, and one near the end.
        out[key + ".running"] = np.stack([
            [norm.running_mean.mean().item(), norm.running_var.mean().item()]
            for norm in ([made.bn1, made.layer4[0].bn2] if hasattr(made, "bn1") else [norms[0], norms[-1]])])

    # Ten steps of training: SEED's, as the authors write it, MoCo-v2's and supervised contrastive learning.
    N, H, D, K, Ts, Tt = 8, 64, 128, 100, 0.2, 0.01
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    for objective, name in [("seed", "resnet18"), ("moco", "resnet18"), ("supervised", "resnet18"), ("seed", "mobilenet-v3-large"), ("seed", "efficientnet-b0")]:
        torch.manual_seed(0)
        student = network(name).train()
        optimizer = torch.optim.SGD(student.parameters(), 0.02, momentum=0.9, weight_decay=1e-4)
        queue = F.normalize(tensor("queue", K, D), dim=1)
        position = 0
        losses = []
        keys = network(name).train()
        for step in range(10):
            def images(view):
                u = tensor(f"images.{step}", N, 2, H, H, 3)[:, view]
                if objective == "supervised":
                    u = 0.2 * u + 0.8 * tensor(f"colours.{step}", N, 2, 1, 1, 3)[:, view]
                bytes_ = ((u + 1) * 127.5).floor().clamp(0, 255).permute(0, 3, 1, 2)
                return (bytes_ / 255 - mean) / deviation
            if objective == "supervised":
                # Both views go through the student in one pass. Its rows lie close together: the colours of the images and a low temperature keep
                # them apart, without which any loss would be about ln 15.
                s = F.normalize(student(torch.stack([images(0), images(1)], 1).flatten(0, 1)), dim=1)
                labels = (torch.arange(N) % 3).repeat_interleave(2)
                itself = torch.eye(2 * N, dtype=torch.bool)
                positive = (labels[:, None] == labels[None, :]) & ~itself
                logs = F.log_softmax((s @ s.T / 0.001).masked_fill(itself, -torch.inf), 1)
                loss = -(logs.masked_fill(~positive, 0).sum(1) / positive.sum(1)).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                continue
            if objective == "seed":
                teacher = F.normalize(tensor(f"teacher.{step}", N, D), dim=1)
            else:
                with torch.no_grad():
                    for k, q in zip(keys.parameters(), student.parameters()):
                        k.mul_(0.99).add_(q, alpha=1 - 0.99)
                    teacher = F.normalize(keys(images(1)), dim=1)
            s = F.normalize(student(images(0)), dim=1)
            logits = torch.cat([(s * teacher).sum(1, keepdim=True), s @ queue.T], 1) / Ts
            if objective == "seed":
                targets = F.softmax(torch.cat([(teacher * teacher).sum(1, keepdim=True), teacher @ queue.T], 1) / Tt, 1)
                loss = -(targets * F.log_softmax(logits, 1)).sum(1).mean()
            else:
                loss = F.cross_entropy(logits, torch.zeros(N, dtype=torch.long))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            for row in teacher.detach():
                queue[position] = row
                position = (position + 1) % K
            losses.append(loss.item())
        out[f"steps.{objective}.{name}"] = np.array(losses)
        print(objective, name, losses)
    save_file(out, "networks.safetensors", metadata={"torch": torch.__version__, "torchvision": torchvision.__version__})
    print(sum(a.nbytes for a in out.values()), "bytes")


if __name__ == "__main__":
    main()
