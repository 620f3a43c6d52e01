"""Compares a training step of methods with the same step in PyTorch, in turn, and tells what of train-step's is not the networks' passes.

    python3 pipelines/methods_peer.py [--methods 'swav byol simreg'] [--network resnet18] [--size 224] [--batch 32] [--turns 3]
                                      [--modes 'nchw channels-last compile']     (needs torchvision; finds the tools in PATH)

Drawn images as byol, moco-v2 or swav has them; swav's crops are two of the size and six of 3/7 of it. train-step's time is that of a batch of its log, without the
first, and holds the reading of the stream and the bytes' way to numbers; PyTorch's holds neither. Losses and optimizers of PyTorch are those of Tests/golden. Loss and optimizer
are shares of the steps by --profile, what is made at the first of them (queues, the teacher's temperature) among it. A method that PyTorch is not compared in is measured alone.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

GOLDEN = pathlib.Path(__file__).parent.parent / "Tests" / "golden"
# The arguments of augment, the teacher's command and the other options of train-step; {size} and {small} are image sides, {teacher} is a network's file.
STREAMS = {
    "swav": ("--recipe swav --crops '2x{size}@0.14-1 6x{small}@0.05-0.14'", "", "--prototypes 3000"),
    "byol": ("--recipe byol --views 2 --size {size}", "", ""),
    "simclr": ("--recipe simclr --views 2 --size {size}", "", ""),
    "simsiam": ("--recipe simsiam --views 2 --size {size}", "", ""),
    "barlow-twins": ("--recipe barlow-twins --views 2 --size {size}", "", ""),
    "moco-v1": ("--recipe moco-v1 --views 2 --size {size}", "", "--queue-size 65536"),
    "moco-v2": ("--views 2 --size {size}", "", "--queue-size 65536"),
    "supervised": ("--size {size}", "", ""),
    "supervised-contrastive": ("--views 2 --size {size}", "", ""),
    "kd": ("--size {size}", "embed --weights {teacher} --logits", ""),
    "swav-distillation": ("--recipe swav --crops '2x{size}@0.14-1 6x{small}@0.05-0.14'", "embed --weights {teacher} --logits --view 0 --group 0", ""),
    "bingo": ("--bags {bags} --size {size}", "embed --weights {teacher} --group 1", "--queue-size 65536"),
    "seed": ("--size {size}", "embed --weights {teacher}", "--queue-size 65536"),
    "seed-batch": ("--size {size}", "embed --weights {teacher}", ""),
    "simreg": ("--size {size}", "embed --weights {teacher} --features", ""),
    "compress-1q": ("--size {size}", "embed --weights {teacher} --features", "--queue-size 128000"),
    "compress-2q": ("--size {size}", "embed --weights {teacher} --features", "--queue-size 128000"),
    "disco": ("--views 2 --size {size}", "embed --weights {teacher} --group 0", "--queue-size 65536"),
    "queue-kl": ("--mix-up --size {size}", "embed --weights {teacher} --features", "--queue-size 65536"),
    "feature-mse": ("--mix-up --size {size}", "embed --weights {teacher} --features", ""),
}
HEADS = {"supervised": "--classes 24", "kd": "--classes 24", "swav-distillation": "--head prototype-scores --embedding 3000", "bingo": "--head moco-v2",
         "supervised-contrastive": "--head simclr", "simreg": "", "feature-mse": "", "compress-2q": "", "compress-1q": "--head 'linear 512'", "queue-kl": "--head 'linear 512'"}
# Teachers of one method only: a classifier, a head that ends in prototypes, and an embedding head for a student whose head has the name of another method.
TEACHER_HEADS = {"bingo": "--head moco-v2", "kd": "--classes 24", "swav-distillation": "--head 'linear 2048, batch-norm, relu, linear 128, l2-norm, linear 3000 no-bias'"}
PEERS = ("swav", "byol", "simreg")


def shell(command):
    done = subprocess.run(["bash", "-c", f"set -euo pipefail; {command}"], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{command}\n{done.stderr}")
    return done.stderr


class Ours:
    """A stream of a few batches, and an initial student, in their own folder."""

    def __init__(self, method, options, folder):
        self.method, self.options, self.folder = method, options, folder
        augment, teacher, self.told = STREAMS[method]
        weights, bags = f"{folder}/teacher.safetensors", f"{folder}/bags.safetensors"
        if teacher:
            shell(f"initialize --network {options.network} {TEACHER_HEADS.get(method, '' if method in HEADS else '--head moco-v2')} --seed 1 -o {weights}")
        if "{bags}" in augment:
            shell(f"augment --data {folder}/images/train --recipe evaluation --size 64 --quiet | embed --weights {weights} --features --drop images --quiet | neighbours --quiet -o {bags}")
        sides = {"size": options.size, "small": options.size * 3 // 7, "teacher": weights, "bags": bags}
        teach = f"| {teacher.format(**sides)} --quiet" if teacher else ""
        shell(f"augment --data {folder}/images/train --limit {options.batch * options.batches} --batch {options.batch}"
              f" {augment.format(**sides)} --level=-7 --quiet {teach} > {folder}/stream")
        head = HEADS.get(method, f"--head {'moco-v2' if method.startswith('seed') else method}")
        shell(f"initialize --network {options.network} {head} -o {folder}/student.safetensors")

    def run(self, profile=False):
        """Seconds per batch, the median of all but the first; or the profile."""
        said = shell(f"train-step {self.folder}/stream --objective {self.method} {self.told} --student {self.folder}/student.safetensors --epochs 100"
                     f" --threads {self.options.threads} --log {self.folder}/log --log-interval 1 {'--profile' if profile else '--quiet'} -o {self.folder}/after.safetensors")
        if profile:
            return {found[1]: float(found[2]) for found in re.finditer(r"^(loss|optimizer|checkpoint|all) +([0-9.]+) ", said, re.M)}
        with open(f"{self.folder}/log") as log:
            return statistics.median(json.loads(line)["seconds"] for line in list(log)[1:])


class Peer:
    """The same in PyTorch, in a separate process."""

    def __init__(self, method, mode, options):
        command = [sys.executable, __file__, "--peer", method, "--mode", mode, "--threads", str(options.threads), "--network", options.network,
                   "--size", str(options.size), "--batch", str(options.batch)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def run(self):
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def peer(options):
    """Steps of a method in PyTorch: after three warm-up steps, two timed steps for each line of standard input."""
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import torch
    import torchvision
    from torch import nn

    sys.path.insert(0, str(GOLDEN))
    import methods
    from optimizers import LARS

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    N, H, small = options.batch, options.size, options.size * 3 // 7
    layout = torch.contiguous_format if options.mode == "nchw" else torch.channels_last

    def trunk():
        network = getattr(torchvision.models, options.network.replace("-", "_"))(weights=None)
        width, network.fc = network.fc.in_features, nn.Identity()
        return network.to(memory_format=layout).train(), width

    def images(count, side):
        return torch.randn(count, 3, side, side).to(memory_format=layout)

    def mlp(inputs, hidden, outputs, bias=True, last_bias=True):
        return nn.Sequential(*methods.mlp(inputs, hidden, outputs, bias, last_bias))

    network, width = trunk()
    forward = torch.compile(network) if options.mode == "compile" else network
    if options.peer == "byol":
        head, other, average = mlp(width, 4096, 256, True, False), mlp(256, 4096, 256, True, False), trunk()[0]
        average_head = mlp(width, 4096, 256, True, False)
        target = torch.compile(average) if options.mode == "compile" else average
        views = [images(N, H), images(N, H)]
    elif options.peer == "swav":
        head, other = nn.Sequential(*methods.mlp(width, 2048, 128), methods.Unit()), nn.Linear(128, 3000, bias=False)
        views = [images(2 * N, H), images(6 * N, small)]
    else:
        head, other = nn.Identity(), nn.Sequential(*methods.mlp(width, 2 * width, width), *methods.mlp(width, 2 * width, width))
        views, features = [images(N, H)], torch.randn(N, width)
    parameters = [p for module in (network, head, other) for p in module.parameters()]
    if options.peer == "simreg":
        optimizer = torch.optim.SGD(parameters, 1e-4, momentum=0.9, weight_decay=1e-4, fused=True)
    else:
        optimizer = LARS({"byol": "lars-byol", "swav": "larc"}[options.peer], parameters, 1e-6)

    def swav(scores):
        """Like methods.swav, for two and six crops."""
        large, few = scores[:2 * N].reshape(N, 2, -1).unbind(1), scores[2 * N:].reshape(N, 6, -1).unbind(1)
        crops, loss = [*large, *few], 0
        for i in range(2):
            with torch.no_grad():
                q = methods.sinkhorn(crops[i].detach())
            loss = loss - sum((q * torch.log_softmax(crop / 0.1, 1)).sum(1).mean() for v, crop in enumerate(crops) if v != i) / 7
        return loss / 2

    def loss():
        if options.peer == "byol":
            with torch.no_grad():
                targets = [average_head(target(view)) for view in views]
            z = [head(forward(view)) for view in views]
            return methods.byol([*targets, *z, other(z[0]), other(z[1])], None)
        if options.peer == "swav":
            with torch.no_grad():
                other.weight.copy_(nn.functional.normalize(other.weight))
            return swav(other(head(torch.cat([forward(view) for view in views]))))
        return methods.simreg([None, other(forward(views[0]))], {"features": features})

    def step():
        for p in parameters:
            p.grad = None
        loss().backward()
        if isinstance(optimizer, LARS):
            optimizer.step([1e-4] * len(parameters))
        else:
            optimizer.step()
        if options.peer == "byol":
            with torch.no_grad():
                pairs = zip([*average.parameters(), *average_head.parameters()], [*network.parameters(), *head.parameters()])
                averages, values = map(list, zip(*pairs))
                torch._foreach_lerp_(averages, values, 0.01)

    for _ in range(3):
        step()
    print("ready", flush=True)
    for _ in sys.stdin:
        step()  # the caches hold another program's data
        start = time.perf_counter()
        for _ in range(2):
            step()
        print((time.perf_counter() - start) / 2, flush=True)


def compare(method, options, folder):
    ours, modes = Ours(method, options, folder), options.modes.split() if method in PEERS else []
    profile = ours.run(profile=True)
    steps = profile["all"] - profile["checkpoint"]
    peers = {mode: Peer(method, mode, options) for mode in modes}
    times = {name: [] for name in ["ours", *modes]}
    for _ in range(options.turns):
        times["ours"].append(ours.run())
        for mode, one in peers.items():
            times[mode].append(one.run())
    for one in peers.values():
        one.end()
    seconds = {name: statistics.median(values) for name, values in times.items()}
    best = min(modes, key=lambda mode: seconds[mode], default=None)
    print(f"| {method} | {options.batch / seconds['ours']:.1f} | {profile['loss'] / steps:.1%} | {profile['optimizer'] / steps:.1%} |"
          + (f" {options.batch / seconds[best]:.1f} | {best} | {seconds[best] / seconds['ours']:.2f} |" if best else " | | |"), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default=" ".join(PEERS))
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--modes", default="nchw channels-last compile")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--mode", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return peer(options)
    print("| method | images/s | loss | optimizer | PyTorch, images/s | its form | ratio |\n|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        shell(f"synthesize --train {max(240, options.batch * options.batches)} --test 24 --size {min(512, options.size)} --quiet -o {folder}/images")
        for method in options.methods.split():
            compare(method, options, folder)


if __name__ == "__main__":
    main()
