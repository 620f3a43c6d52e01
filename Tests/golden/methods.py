"""Losses with their gradients and ten training steps of the methods, for TrainingTests: python3 Tests/golden/methods.py (writes methods.safetensors beside itself)

Each loss is restated from its authors' code (SimCLR's in TensorFlow, BYOL's in JAX, the others in PyTorch), quirks included, and so are schedules, moving averages and which
parameters are decayed. In double precision; weights, images and teachers' rows come from the formula of networks.py.
"""
import copy
import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from networks import Small, fill, tensor
from optimizers import LARS


def unit(x):
    return F.normalize(x, dim=-1)


# Losses of the outputs of a method's passes, in their order. `x` has what else they need.

def moco_v1(o, x):
    k, q = unit(o[0]).detach(), unit(o[1])
    logits = torch.cat([(q * k).sum(1, keepdim=True), q @ x["queue"].T], 1) / 0.07
    loss = F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long))
    x["queue"] = torch.cat([x["queue"][len(k):], k])  # As a ring: the order of rows does not matter.
    return loss


def simclr(o, x):
    z = unit(o[0])
    a, b, n, t = z[0::2], z[1::2], len(z) // 2, 0.1
    mask, own = 1e9 * torch.eye(n).double(), torch.arange(n)
    loss_a = F.cross_entropy(torch.cat([a @ b.T / t, a @ a.T / t - mask], 1), own)
    loss_b = F.cross_entropy(torch.cat([b @ a.T / t, b @ b.T / t - mask], 1), own)
    return loss_a + loss_b


def byol(o, x):
    def regression(p, z):
        return ((unit(p) - unit(z)) ** 2).sum(1)

    return (regression(o[4], o[1].detach()) + regression(o[5], o[0].detach())).mean()


def simsiam(o, x):
    cosine = nn.CosineSimilarity(dim=1)
    return -(cosine(o[2], o[1].detach()).mean() + cosine(o[3], o[0].detach()).mean()) * 0.5


def barlow_twins(o, x):
    n, d = o[0].shape
    bn = nn.BatchNorm1d(d, affine=False).double()
    c = bn(o[0]).T @ bn(o[1]) / n
    on = (torch.diagonal(c) - 1).pow(2).sum()
    off = c.pow(2).sum() - torch.diagonal(c).pow(2).sum()
    return on + 0.0051 * off


def simreg(o, x):
    return (2 - 2 * (unit(o[1]) * unit(x["features"])).sum(1)).mean()


def kl(t, mt, s, ms, temperature):
    p, logq = torch.softmax(t @ mt.T / temperature, 1), torch.log_softmax(s @ ms.T / temperature, 1)
    return F.kl_div(logq, p, reduction="batchmean")


def compress_1q(o, x):
    s, t = unit(o[0]), unit(x["features"])
    loss = kl(t, x["memory"], s, x["memory"], 0.04)
    x["memory"] = torch.cat([x["memory"][len(t):], t])
    return loss


def compress_2q(o, x):
    k, s, t = unit(o[0]).detach(), unit(o[1]), unit(x["features"])
    loss = kl(t, x["memory"], s, x["student memory"], 0.04)
    x["memory"], x["student memory"] = torch.cat([x["memory"][len(t):], t]), torch.cat([x["student memory"][len(k):], k])
    return loss


def seed_batch(o, x):
    s, t = unit(o[0]), unit(x["teacher"])
    return -(torch.softmax(t @ t.T / 0.01, 1) * torch.log_softmax(s @ t.T / 0.2, 1)).sum(1).mean()


def kd(o, x, reduction="batchmean"):
    T, alpha = 4.0, 0.9
    soft = F.kl_div(torch.log_softmax(o[1] / T, 1), torch.softmax(x["logits"] / T, 1), reduction=reduction)
    return (1 - alpha) * F.cross_entropy(o[1], x["label"]) + alpha * T * T * soft


def kd_class_mean(o, x):
    """DisCo's code, where PyTorch's own default adds up neither images nor classes."""
    return kd(o, x, "mean")


def supervised(o, x):
    return F.cross_entropy(o[1], x["label"])


def sinkhorn(out, iterations=3, epsilon=0.05):
    Q = torch.exp(out / epsilon).T
    B, K = Q.shape[1], Q.shape[0]
    Q = Q / Q.sum()
    for _ in range(iterations):
        Q = Q / Q.sum(1, keepdim=True) / K
        Q = Q / Q.sum(0, keepdim=True) / B
    return (Q * B).T


def crops(rows):
    """Two views of each image, then three, row V·n + v of each."""
    n = len(rows) // 5
    return list(rows[:2 * n].reshape(n, 2, -1).unbind(1)) + list(rows[2 * n:].reshape(n, 3, -1).unbind(1))


def swav(o, x):
    """Of scores o[3] and embeddings o[2]."""
    scores, loss = crops(o[3]), 0
    for i in range(2):
        with torch.no_grad():
            out = scores[i].detach()
            queue = x.get("swav queue")
            if queue is not None:
                if not torch.all(queue[i, -1, :] == 0):
                    out = torch.cat([queue[i] @ x["prototypes"].T, out])
                z = crops(o[2])[i].detach()
                queue[i, len(z):] = queue[i, :-len(z)].clone()
                queue[i, :len(z)] = z
            q = sinkhorn(out)[-len(scores[i]):]
        sub = 0
        for v in range(5):
            if v != i:
                sub = sub - (q * F.log_softmax(scores[v] / 0.1, 1)).sum(1).mean()
        loss = loss + sub / 4
    return loss / 2


def swav_distillation(o, x, swapped=False, iterations=3, epsilon=0.3):
    """VISSL's criterion, of scores o[2]; its assignments are of the scores of the batch and of a queue of earlier ones."""
    scores, V, loss = crops(o[2]), 5, 0
    teacher = list(x["logits.0"].unbind(1)) if "logits.0" in x else [x["logits"]]
    for i, t in enumerate(teacher):
        if iterations == 0:
            q = torch.softmax(t / epsilon, -1)
        else:
            q = sinkhorn(torch.cat([t, x["score queue"]]), iterations, epsilon)[:len(t)]
        if len(teacher) == 1:
            ids = list(range(1 if swapped else 0, V))
        elif swapped:
            ids = [p for p in range(V) if p != i]
        else:
            ids = [i] + list(range(2, V))
        loss = loss - sum((q * F.log_softmax(scores[p] / 0.1, 1)).sum(1).mean() for p in ids) / len(ids)
    x["score queue"] = torch.cat([*teacher[::-1], x["score queue"]])[:x["score queue length"]]
    return loss / len(teacher)


def queue_kl(o, x):
    s, t = unit(o[0]), unit(x["features"])
    x["memory"] = torch.cat([x["memory"][len(t):], t])  # Before the loss.
    return kl(t, x["memory"], s, x["memory"], 0.07)


def feature_mse(o, x):
    return F.mse_loss(x["features"], o[1])


def bingo(o, x):
    keys, share, own, criterion = x["keys"], 0.7, x["own"], nn.CrossEntropyLoss()
    labels = torch.zeros(len(keys), dtype=torch.long)

    def terms(u):
        u = unit(u)
        negative = u @ x["queue"].T
        return [criterion(torch.cat([(u * keys[:, i]).sum(1, keepdim=True), negative], 1) / 0.2, labels) for i in range(2)]

    q, p, m = terms(o[0]), terms(o[1]), terms(o[2])
    x["queue"] = torch.cat([x["queue"][len(keys):], keys[:, 0]])
    return (own * q[0] + (1 - own) * q[1] + own * p[1] + (1 - own) * p[0] + share * m[0] + (1 - share) * m[1]) / 3


def seed_small_patches(o, x):
    loss = 0
    for s, t, queue, entering in [
        (unit(o[0]), x["teacher"], "queue", x["teacher"]), (unit(o[1]), x["teacher.1"].flatten(0, 1), "small queue", x["teacher.1"][:, 0]),
    ]:
        logit_s = torch.cat([(s * t).sum(1, keepdim=True), s @ x[queue].T], 1) / 0.2
        logit_t = torch.cat([(t * t).sum(1, keepdim=True), t @ x[queue].T], 1) / 0.01
        loss = loss - (torch.softmax(logit_t, 1) * F.log_softmax(logit_s, 1)).sum(1).mean()
        x[queue] = torch.cat([x[queue][len(entering):], entering])
    return loss


def seed_teachers(o, x):
    """The embedding in two parts, each by SEED's loss against a queue of its own teacher's rows; the second weighs half."""
    a, loss = x["teacher.a"].shape[1], 0
    for part, name, weight in [(o[0][:, :a], "a", 1), (o[0][:, a:], "b", 0.5)]:
        s, t, queue = unit(part), x["teacher." + name], x["queue " + name]
        logit_s = torch.cat([(s * t).sum(1, keepdim=True), s @ queue.T], 1) / 0.2
        logit_t = torch.cat([(t * t).sum(1, keepdim=True), t @ queue.T], 1) / 0.01
        loss = loss - weight * (torch.softmax(logit_t, 1) * F.log_softmax(logit_s, 1)).sum(1).mean()
        x["queue " + name] = torch.cat([queue[len(t):], t])
    return loss


def disco(o, x):
    k, q, qk, t = unit(o[0]).detach(), unit(o[1]), unit(o[2]), x["teacher.0"]
    logits = torch.cat([(q * k).sum(1, keepdim=True), q @ x["queue"].T], 1) / 0.2
    x["queue"] = torch.cat([x["queue"][len(k):], k])
    distance = nn.MSELoss(reduction="sum")
    return F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long)) + distance(q, t[:, 0]) + distance(qk, t[:, 1])


class Unit(nn.Module):
    def forward(self, x):
        return unit(x)


def mlp(i, h, o, bias=True, last_bias=True):
    return [nn.Linear(i, h, bias=bias), nn.BatchNorm1d(h), nn.ReLU(), nn.Linear(h, o, bias=last_bias)]


class ScaleOnly(nn.BatchNorm1d):
    """Batch norm without a shift."""

    def __init__(self, n):
        super().__init__(n)
        self.bias = None


class Frozen(nn.Linear):
    def __init__(self, i, o):
        super().__init__(i, o)
        self.bias.requires_grad = False


KEPT = ("score queue", "queue a", "queue b", "queue", "small queue", "memory", "student memory", "swav queue")
E = 10  # Steps, of two epochs of five.


def warm_up_cosine(base, end=0.0):
    """BYOL's, SimCLR's and Barlow Twins': one epoch of warm-up."""
    q = [0.5 * (1 + math.cos(math.pi * i / 5)) for i in range(5)]
    return [base * i / 5 for i in range(5)] + [base * q + base * end * (1 - q) for q in q]


def by_epoch(first, second):
    return [first] * 5 + [second] * 5


def swav_rates(rate=4):
    return [rate / 4 * r for r in [0.3 + (4 - 0.3) * i / 4 for i in range(5)] + [0.004 + 0.5 * (4 - 0.004) * (1 + math.cos(math.pi * i / 5)) for i in range(5)]]


# head, loss, shapes of the passes' outputs for N = 5, rates, optimizer
METHODS = {
    "moco-v1": (lambda: nn.Linear(128, 24), moco_v1, [(5, 7), (5, 7)], by_epoch(0.02, 0.002), "sgd"),
    "simclr": (lambda: nn.Sequential(*mlp(128, 40, 24, False, False), ScaleOnly(24)), simclr, [(10, 7)], warm_up_cosine(0.1), "lars-simclr"),
    "byol": (lambda: nn.Sequential(*mlp(128, 40, 24, True, False)), byol, [(5, 7)] * 6, warm_up_cosine(1.0), "lars-byol"),
    "simsiam": (
        lambda: nn.Sequential(nn.Linear(128, 40, bias=False), nn.BatchNorm1d(40), nn.ReLU(), Frozen(40, 24), nn.BatchNorm1d(24, affine=False)),
        simsiam, [(5, 7)] * 4, by_epoch(0.05, 0.025), "sgd"),
    "barlow-twins": (lambda: nn.Sequential(*mlp(128, 40, 24, False, False)), barlow_twins, [(5, 7)] * 2, warm_up_cosine(1.0, 0.001), "lars"),
    "simreg": (lambda: nn.Identity(), simreg, [(5, 7)] * 2, by_epoch(0.05, 0.025), "sgd"),
    "compress-1q": (lambda: nn.Linear(128, 24), compress_1q, [(5, 7)], by_epoch(0.01, 0.002), "sgd"),
    "compress-2q": (lambda: nn.Identity(), compress_2q, [(5, 7)] * 2, by_epoch(0.01, 0.002), "sgd"),
    "seed-batch": (lambda: nn.Linear(128, 24), seed_batch, [(5, 7)], by_epoch(0.02, 0.02), "sgd"),
    "swav": (lambda: nn.Sequential(*mlp(128, 40, 24), Unit()), swav, [(10, 7), (15, 7), (25, 7), (25, 7)], swav_rates(), "larc"),
    "seed-small-patches": (lambda: nn.Linear(128, 24), seed_small_patches, [(5, 7), (15, 7)], by_epoch(0.02, 0.02), "sgd"),
    "disco": (lambda: nn.Linear(128, 24), disco, [(5, 7)] * 3, by_epoch(0.02, 0.01), "sgd"),
    "kd": (lambda: nn.Linear(128, 24), kd, [(5, 7)] * 2, by_epoch(0.001, 0.001), "adamw"),
    # Its gradients are cut to 0.2.
    "kd-class-mean": (lambda: nn.Linear(128, 24), kd_class_mean, [(5, 7)] * 2, by_epoch(0.02, 0.02), "sgd"),
    "supervised": (lambda: nn.Linear(128, 24), supervised, [(5, 7)] * 2, by_epoch(0.005, 0.0005), "sgd"),
    # A trunk that learns at a tenth of the head's rate, and one that does not learn and normalises by its running statistics.
    "kd-trunk-rate": (lambda: nn.Linear(128, 24), kd, [(5, 7)] * 2, by_epoch(0.005, 0.0005), "sgd"),
    "supervised-frozen": (lambda: nn.Linear(128, 24), supervised, [(5, 7)] * 2, by_epoch(0.0005, 0.00005), "sgd"),
    "swav-distillation": (lambda: nn.Sequential(*mlp(128, 40, 24)), swav_distillation, [(10, 7), (15, 7), (25, 7)], swav_rates(0.4), "larc"),
    "queue-kl": (lambda: nn.Linear(128, 24), queue_kl, [(5, 7)], warm_up_cosine(1.0), "lars"),
    "feature-mse": (lambda: nn.Identity(), feature_mse, [(5, 7)] * 2, warm_up_cosine(1.0), "lars"),
    "bingo": (lambda: nn.Linear(128, 24), bingo, [(5, 7)] * 3, by_epoch(0.02, 0.01), "sgd"),
    "seed-teachers": (lambda: nn.Linear(128, 24), seed_teachers, [(5, 7)], by_epoch(0.02, 0.02), "sgd"),
}
CLASSIFIERS = ("kd", "kd-class-mean", "supervised", "kd-trunk-rate", "supervised-frozen")


def extras(name, N, D, K):
    """What comes with a batch, and what a method keeps."""
    a = D * 3 // 7
    return {
        "teacher.a": unit(tensor(f"teacher.a.{name}", N, a).double()), "teacher.b": unit(tensor(f"teacher.b.{name}", N, D - a).double()),
        "queue a": unit(tensor("queue a", K, a).double()), "queue b": unit(tensor("queue b", K, D - a).double()),
        "teacher.0": unit(tensor(f"teacher.0.{name}", N, 2, D).double()), "teacher.1": unit(tensor(f"teacher.1.{name}", N, 3, D).double()),
        "small queue": unit(tensor("small queue", K, D).double()),
        "features": tensor(f"features.{name}", N, D).double(), "teacher": unit(tensor(f"teacher.{name}", N, D).double()),
        "logits": 3 * tensor(f"logits.{name}", N, D).double(), "label": torch.arange(N) % 3,
        "keys": unit(tensor(f"teacher.1.{name}", N, 2, D).double()), "own": 0.5,
        "score queue": torch.zeros(0, D).double(), "score queue length": 0,
        "queue": unit(tensor("queue", K, D).double()), "memory": tensor("memory", K, D).double(),
    }


def loss_case(method, out):
    _, loss, shapes, _, _ = METHODS[method]
    outputs = [tensor(f"{method}.{i}", *shape).double().requires_grad_() for i, shape in enumerate(shapes)]
    x = extras("loss", 5, 7, 11)
    x["student memory"] = tensor("student memory", 11, 7).double()
    value = loss(outputs, x)
    value.backward()
    out[f"{method}.loss"] = value.detach().reshape(1)
    for i, output in enumerate(outputs):
        if output.grad is not None:
            out[f"{method}.gradient.{i}"] = output.grad.float()


def swav_distillation_cases(out):
    """The other forms of it: a teacher that has seen both large crops, swapped or not, and assignments by softmax."""
    for name, swapped, two, iterations in [("swapped", True, False, 3), ("two", False, True, 3), ("two-swapped", True, True, 3), ("softmax", False, False, 0)]:
        outputs = [tensor(f"swav-distillation.{i}", *shape).double().requires_grad_() for i, shape in enumerate([(10, 7), (15, 7), (25, 7)])]
        x = extras("loss", 5, 7, 11)
        if two:
            x["logits.0"] = tensor("logits.0.loss", 5, 2, 7).double()
        value = swav_distillation(outputs, x, swapped, iterations)
        value.backward()
        out[f"swav-distillation.{name}.loss"], out[f"swav-distillation.{name}.gradient"] = value.detach().reshape(1), outputs[2].grad.float()


def small_fill(network):
    with torch.no_grad():
        fill(network)
        for name, module in network.named_modules():
            if name.startswith("fc.") and isinstance(module, nn.BatchNorm1d) and module.weight is not None:
                module.weight.copy_(1 + 0.2 * tensor(name + ".weight", module.num_features))
    return network.double().train()


def pixels(u):
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1).double()
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1).double()
    return (((u + 1) * 127.5).floor().clamp(0, 255).permute(0, 1, 4, 2, 3).double() / 255 - mean) / deviation


def batch_statistics(out):
    """Rows of a teacher that is left in training, as DisCo's and BINGO's: each view is normalised by itself."""
    teacher = Small([1, 1, 1, 1], 16)
    teacher.fc = nn.Linear(128, 24)
    small_fill(teacher)
    views = pixels(tensor("images.0", 8, 2, 20, 20, 3)).unbind(1)
    with torch.no_grad():
        out["batch-statistics"] = torch.stack([unit(teacher(view)) for view in views], 1).float()


def steps(method, out):
    head, loss, _, rates, kind = METHODS[method]
    N, H, D, K = 8, 20, 24, 20
    student = Small([1, 1, 1, 1], 16)
    student.fc = head()
    small_fill(student)
    other = {
        "byol": lambda: nn.Sequential(*mlp(24, 40, 24, True, False)), "simsiam": lambda: nn.Sequential(*mlp(24, 16, 24, False, True)),
        "simreg": lambda: nn.Sequential(
            nn.Linear(128, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 128), nn.Linear(128, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 24)),
        "swav": lambda: nn.Sequential(Unit(), nn.Linear(24, 10, bias=False)),
        "feature-mse": lambda: nn.Sequential(nn.Linear(128, 24)),
    }.get(method, nn.Identity)()
    small_fill(other)
    average = copy.deepcopy(student)
    parameters = [p for p in [*student.parameters(), *other.parameters()] if p.requires_grad]
    head_parameters = {id(p) for p in student.fc.parameters()}
    if method == "supervised-frozen":
        student.eval()
        parameters = list(student.fc.parameters())
    predictor = {id(p) for p in other.parameters()}

    def rate(p, now):
        if method == "simsiam" and id(p) in predictor:
            return rates[0]
        if method == "kd-trunk-rate" and id(p) not in head_parameters:
            return now * 0.1
        return now * 0.024 if method == "barlow-twins" and p.ndim == 1 else now

    if kind == "sgd":
        optimizer = torch.optim.SGD([{"params": [p]} for p in parameters], lr=1, momentum=0.9, weight_decay=1e-4)
    elif kind == "adamw":
        optimizer = torch.optim.AdamW([{"params": [p]} for p in parameters], lr=1, weight_decay=0.01)
    else:
        optimizer = LARS(kind, parameters, 1e-4)
    kept = extras("kept", N, D, K)
    kept["student memory"] = tensor("student memory", K, 128).double()
    losses = []

    def features(x):
        head, student.fc = student.fc, nn.Identity()
        y = student(x)
        student.fc = head
        return y

    for step in range(E):
        images = pixels(tensor(f"images.{step}", N, 3 if method == "bingo" else 2, H, H, 3))
        v = list(images.unbind(1))
        small = pixels(tensor(f"small.{step}", N, 3, 12, 12, 3))
        x = extras(str(step), N, D, K)
        x["score queue length"], x["own"] = 16, 1 if step < 5 else 0.5
        if method == "swav":
            with torch.no_grad():
                other[1].weight.copy_(unit(other[1].weight))
            if step == 5:
                kept["swav queue"] = torch.zeros(2, 16, D).double()
            x["prototypes"] = other[1].weight.detach().clone()
        for name in KEPT:
            if name in kept:
                x[name] = kept[name]
        with torch.no_grad():
            if method in ("moco-v1", "disco"):
                for a, p in zip(average.parameters(), student.parameters()):
                    a.mul_(0.9).add_(p, alpha=0.1)
                o = [average(v[1])]
            elif method == "byol":
                o = [average(v[0]), average(v[1])]
            elif method == "compress-2q":
                o = [average(v[0])]
            else:
                o = []
        if method == "simclr":
            o += [student(images.flatten(0, 1))]
        elif method in ("byol", "simsiam", "barlow-twins"):
            z = [student(v[0]), student(v[1])]
            o += z if method == "barlow-twins" else z + [other(z[0]), other(z[1])]
        elif method == "swav":
            f = [features(images.flatten(0, 1)), features(small.flatten(0, 1))]
            z = student.fc(torch.cat(f))
            o += f + [z, other(z)]
        elif method == "seed-small-patches":
            o += [student(v[0]), student(small.flatten(0, 1))]
        elif method == "swav-distillation":
            f = [features(images.flatten(0, 1)), features(small.flatten(0, 1))]
            o += f + [student.fc(torch.cat(f))]
        elif method == "bingo":
            o += [student(view) for view in v]
        elif method == "disco":
            o += [student(v[0]), student(v[1])]
        elif method in CLASSIFIERS:
            f = features(v[0])
            o += [f, student.fc(f)]
        elif method in ("simreg", "feature-mse"):
            z = student(v[0])
            o += [z, other(z)]
        else:
            o += [student(v[0])]
        value = loss(o, x)
        for p in parameters:
            p.grad = None
        value.backward()
        if method == "swav" and step < 3:
            other[1].weight.grad = None
        if method == "kd-class-mean":
            torch.nn.utils.clip_grad_norm_(parameters, 0.2)
        if isinstance(optimizer, LARS):
            optimizer.step([rate(p, rates[step]) for p in parameters])
        else:
            for group in optimizer.param_groups:
                group["lr"] = rate(group["params"][0], rates[step])
            optimizer.step()
        if method in ("byol", "compress-2q"):
            m = 1 - (1 - 0.9) * 0.5 * (1 + math.cos(math.pi * step / E)) if method == "byol" else 0.9
            with torch.no_grad():
                for a, p in zip(average.parameters(), student.parameters()):
                    a.mul_(m).add_(p, alpha=1 - m)
        for name in KEPT:
            if name in kept:
                kept[name] = x[name]
        losses.append(value.item())
    print(method, losses)
    out[f"{method}.steps"] = torch.tensor(losses).double()


def main():
    out = {}
    for method in METHODS:
        loss_case(method, out)
        steps(method, out)
    swav_distillation_cases(out)
    batch_statistics(out)
    save_file({k: v.contiguous() for k, v in sorted(out.items())}, pathlib.Path(__file__).with_suffix(".safetensors"))


if __name__ == "__main__":
    main()
