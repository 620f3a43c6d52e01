"""Losses and gradients by lightly's own classes, and by lightly-train's, for TrainingTests: python3 Tests/golden/lightly_losses.py
(writes lightly-losses.safetensors beside itself; lightly 1.6, lightly-train 0.18)

The same outputs of a method's passes as in methods.py, in double precision. Where a library's loss is ours but for a factor, or a constant, that is said here.
"""
import importlib.util
import pathlib
import sys

import torch
from lightly.loss import BarlowTwinsLoss, NegativeCosineSimilarity, NTXentLoss, SwaVLoss
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from methods import METHODS, crops, extras, unit  # noqa: E402
from networks import tensor  # noqa: E402


def lightly_train(file):
    """A file of lightly-train alone: the package as a whole wants more than its losses do."""
    folder = pathlib.Path(importlib.util.find_spec("lightly_train").origin).parent
    spec = importlib.util.spec_from_file_location(file, folder / f"_methods/{file}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def contrast(temperature):
    """MoCo's: the queue is the loss's memory bank."""
    def loss(o, x):
        criterion = NTXentLoss(temperature, memory_bank_size=(11, 7))
        criterion.memory_bank.bank = x["queue"].clone()
        criterion.memory_bank.bank_ptr = torch.zeros(1, dtype=torch.long)
        return criterion(o[1], o[0].detach())
    return loss


def byol(o, x):
    """Squared distances of unit rows, 2 - 2 cos, where lightly has the mean of -cos."""
    cosine = NegativeCosineSimilarity()
    return 4 + 2 * (cosine(o[4], o[1].detach()) + cosine(o[5], o[0].detach()))


def simsiam(o, x):
    cosine = NegativeCosineSimilarity()
    return 0.5 * (cosine(o[2], o[1].detach()) + cosine(o[3], o[0].detach()))


def swav(o, x):
    scores = crops(o[3])
    return SwaVLoss()(scores[:2], scores[2:])


def queue_kl(o, x):
    """lightly-train's `distillation`, whose queue has the batch's rows before the loss."""
    t = unit(x["features"])
    return lightly_train("distillation/distillation_loss").DistillationLoss(0.07)(t, unit(o[0]), torch.cat([t, x["memory"][len(t):]]))


def feature_mse(o, x):
    """lightly-train's `distillationv2`."""
    return lightly_train("distillationv2/distillationv2_loss").DistillationV2Loss()(x["features"], o[1])


LOSSES = {
    "moco-v1": contrast(0.07), "moco-v2": contrast(0.2), "simclr": lambda o, x: NTXentLoss(0.1)(o[0][0::2], o[0][1::2]), "byol": byol, "simsiam": simsiam,
    "barlow-twins": lambda o, x: BarlowTwinsLoss(0.0051)(*o), "swav": swav, "queue-kl": queue_kl, "feature-mse": feature_mse,
}


def main():
    out = {}
    for method, loss in LOSSES.items():
        shapes = METHODS["moco-v1" if method == "moco-v2" else method][2]
        outputs = [tensor(f"{method}.{i}", *shape).double().requires_grad_() for i, shape in enumerate(shapes)]
        value = loss(outputs, extras("loss", 5, 7, 11))
        value.backward()
        out[f"{method}.loss"] = value.detach().reshape(1)
        for i, output in enumerate(outputs):
            if output.grad is not None:
                out[f"{method}.gradient.{i}"] = output.grad.float()
        print(method, value.item())
    save_file({k: v.contiguous() for k, v in sorted(out.items())}, pathlib.Path(__file__).with_name("lightly-losses.safetensors"))


if __name__ == "__main__":
    main()
