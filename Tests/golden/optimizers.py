"""Ten steps of each optimizer, for OptimizersTests: python3 Tests/golden/optimizers.py (writes optimizers.safetensors beside itself)

SGD and Adam are torch.optim's. The variants of LARS are restated from the code of SimCLR (TensorFlow), BYOL (optax), Barlow Twins and apex's LARC without
clipping, in float32 as these run. Parameters come from a formula over their names, and so do the gradients.
"""
import pathlib

import torch
from safetensors.torch import save_file

from networks import tensor

SHAPES = [(13,), (4, 5), (3, 2, 3, 3), (1,), (40, 1000), (6, 2)]
RATES = [0.0, 0.1, 0.1, 0.05, 0.2, 0.01, 0.03, 0.3, 0.1, 0.02]
M, TRUST = 0.9, 0.001


class LARS:
    """lars-simclr, lars-byol, lars and larc; p.ndim == 1 is excluded but with larc."""

    def __init__(self, kind, parameters, wd, momentum=M, trust=TRUST):
        self.kind, self.parameters, self.wd, self.m, self.trust = kind, list(parameters), wd, momentum, trust
        self.v = [torch.zeros_like(p) for p in self.parameters]

    @torch.no_grad()
    def step(self, rates):
        for p, v, rate in zip(self.parameters, self.v, rates):
            if p.grad is None:
                continue
            g, w = p.grad, p
            if self.kind == "larc":
                wn, gn = torch.norm(w), torch.norm(g)
                if wn != 0 and gn != 0:
                    g = (g + self.wd * w) * (self.trust * wn / (gn + wn * self.wd + 1e-8))
                v.mul_(self.m).add_(g)
                p.sub_(rate * v)
                continue
            ratio = 1.0
            if p.ndim > 1:
                g = g + self.wd * w
                wn, un = torch.norm(w), torch.norm(g)
                ratio = torch.where(wn > 0, torch.where(un > 0, self.trust * wn / un, torch.ones_like(wn)), torch.ones_like(wn))
            if self.kind == "lars-simclr":
                v.mul_(self.m).add_(rate * ratio * g)
                p.sub_(v)
            else:
                v.mul_(self.m).add_(ratio * g)
                p.sub_(rate * v)


def main():
    out = {}
    for name in ["sgd", "nesterov", "lars-simclr", "lars-byol", "lars", "larc", "adam", "adamw"]:
        parameters = [torch.nn.Parameter(tensor(f"w{i}", *shape).clone()) for i, shape in enumerate(SHAPES)]
        parameters[5].data.zero_()
        if name == "sgd" or name == "nesterov":
            optimizer = torch.optim.SGD(parameters, lr=1, momentum=M, weight_decay=1e-2, nesterov=name == "nesterov")
        elif name == "adam":
            optimizer = torch.optim.Adam(parameters, weight_decay=1e-2)
        elif name == "adamw":
            optimizer = torch.optim.AdamW(parameters, weight_decay=1e-2)
        else:
            optimizer = LARS(name, parameters, 1e-2)
        values = []
        for step, rate in enumerate(RATES):
            for i, p in enumerate(parameters):
                p.grad = tensor(f"g{i}.{step}", *SHAPES[i]).clone()
                if i == 1 and step in (0, 3):
                    p.grad.zero_()
            if isinstance(optimizer, LARS):
                optimizer.step([rate] * len(parameters))
            else:
                optimizer.param_groups[0]["lr"] = rate
                optimizer.step()
            values.append(torch.cat([p.detach().flatten()[:64] for p in parameters]))
        out[name] = torch.stack(values)
    save_file(out, pathlib.Path(__file__).with_suffix(".safetensors"))


if __name__ == "__main__":
    main()
