"""Trains students with different rates on different data, and tells which default holds.

    grid.py run [--first N] [--sets 'glyphs emoji'] [--teacher efficientnet-lite0]
                                the next N runs without a result, or all; each processor has its own runs
    grid.py table               docs/defaults.md from the results
    grid.py list                the finished and the missing runs

A run is a data set, a teacher, a network, a batch, a number of images and a rate. Its result is one small file, docs/defaults/SET/RUN.json. A run
with a result for the same options is not repeated, whichever machine produced the result. The most informative runs come first.
"""
import argparse
import dataclasses
import fcntl
import json
import math
import os
import shutil
import subprocess
import sys
import threading
import time

import product
import table

sys.path.append(product.PIPELINES)
import results  # noqa: E402

WORK = ".build/defaults"
RESULTS = "docs/defaults"

SETS = ["objects", "glyphs", "emoji", "textures"]
NETWORKS = ["resnet18", "mobilenet-v3-large"]
# (batch, images) for students of the set's own teacher.
CORNERS = [(64, 6000), (256, 20000), (32, 2000), (128, 6000)]
# The teacher that make fetches if none is named; students learn its features: one corner, half the images.
USUAL = "efficientnet-lite0"
USUAL_CORNERS = [(64, 6000)]
# The teachers, "own" being the one trained on the set itself, with their corners and the number of images that a student sees.
TEACHERS = {"own": (CORNERS, 60_000), USUAL: (USUAL_CORNERS, 30_000)}
# By batch size; they include make's default.
RATES = {32: [0.03, 0.06, 0.0849, 0.12], 64: [0.03, 0.06, 0.12, 0.24], 128: [0.06, 0.12, 0.1697, 0.24], 256: [0.06, 0.12, 0.24, 0.48]}
SIZE = 64
# Increase this when the images or the teachers change: results on different data are not compared.
DATA = 1
# Number of labelled images in the training set of the evaluation.
BANK = 6000


@dataclasses.dataclass(frozen=True)
class Run:
    set: str
    network: str
    batch: int
    images: int
    rate: float
    teacher: str = "own"

    suffix = property(lambda run: "" if run.teacher == "own" else f"-{run.teacher}")
    name = property(lambda run: f"{run.network}-{run.batch}-{run.images}-{run.rate:g}{run.suffix}")
    # The total number of views that the student learns from.
    seen = property(lambda run: TEACHERS[run.teacher][1])
    epochs = property(lambda run: run.seen // run.images)
    # The embedded views, shared by all networks and rates.
    streams = property(lambda run: f"{WORK}/{run.set}/{run.batch}-{run.images}-data{DATA}{run.suffix}")
    weights = property(lambda run: teacher_weights(run.set, run.teacher))

    # The student's embedding has the width of the teacher's.
    begin = property(lambda run: "" if run.teacher == "own" else "--embedding 1280")

    def options(self):
        """make's default options for a student, with the run's learning rate."""
        return f"--learning-rate {self.rate:g} {product.default().options}"


def teacher_weights(name, teacher):
    return f"{WORK}/{name}/teacher.safetensors" if teacher == "own" else f".build/teachers/{teacher}.safetensors"


def likely(batch):
    """The rates of a batch size, sorted by distance from the expected best rate, which grows with the square root of the batch size."""
    return sorted(RATES[batch], key=lambda rate: abs(math.log(rate / (0.12 * math.sqrt(batch / 64)))))


def runs():
    """All runs, in order: the two likeliest rates of every batch size are more informative than the other two."""
    return [Run(name, network, batch, images, rate, teacher)
            for ranks in [slice(0, 2), slice(2, 3), slice(3, 4)]
            for teacher, (corners, _) in TEACHERS.items()
            for network in NETWORKS[::-1] for batch, images in corners for rate in likely(batch)[ranks] for name in SETS]


def shell(command):
    """Runs a command line of the tools, on the processors of this thread; the tool itself has reported a failure."""
    if subprocess.run(["bash", "-c", f"set -euo pipefail; {command}"]).returncode:
        raise Failure(f"make: this failed: {command}")


class Failure(Exception):
    pass


def made(path, command):
    """Makes a file unless it exists. The tools rename a file into place when it is complete."""
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shell(command)
    return path


def stream(run, epoch):
    """One epoch of views with the teacher's embeddings, for all rates and networks of a corner."""
    path = f"{run.streams}/{epoch}.tensors.zst"
    return made(path, f"augment --data {WORK}/{run.set}/learn.tar --limit {run.images} --size {SIZE} --batch {run.batch} --drop-last"
                      f" --epoch {epoch} --quiet | embed --weights {run.weights} --quiet --level=-1 -o {path}")


def train(run):
    """A student's last checkpoint, and its mean KL over the last quarter of the last epoch."""
    folder = f"{WORK}/{run.set}/{run.name}"
    known = {"options": run.options(), "data": DATA}
    if os.path.isdir(folder) and results.read(f"{folder}/options.json") != known:
        shutil.rmtree(folder)
    results.write(f"{folder}/options.json", known)
    # The last epoch on disk; earlier ones are removed.
    begun = max((epoch for epoch in range(run.epochs + 1) if os.path.exists(f"{folder}/{epoch}.safetensors")), default=0)
    student = made(f"{folder}/{begun}.safetensors", f"initialize --network {run.network} {run.begin} --quiet -o {folder}/0.safetensors")
    for epoch in range(begun, run.epochs):
        following = f"{folder}/{epoch + 1}.safetensors"
        shell(f"train-step --student {student} {run.options()} --epochs {run.epochs} --log {folder}/{epoch + 1}.jsonl --quiet"
              f" {stream(run, epoch)} -o {following}")
        os.remove(student)
        student = following
    with open(f"{folder}/{run.epochs}.jsonl") as file:
        kl = [json.loads(line)["kl"] for line in file]
    last = kl[-max(1, len(kl) // 4):]
    return student, sum(last) / len(last)


def judge(name, weights, folder):
    """k-NN and linear top-1 of a network's features, on images from learn's sources and from others."""
    os.makedirs(folder, exist_ok=True)
    parts = {"learn": f"--limit {BANK}", "held-out": "", "test": ""}
    for part, limit in parts.items():
        shell(f"augment --data {WORK}/{name}/{part}.tar {limit} --recipe evaluation --size {SIZE} --quiet |"
              f" embed --weights {weights} --features --drop images --quiet -o {folder}/{part}.tensors.zst")
    result = {}
    for part in ["held-out", "test"]:
        result[part] = {}
        for evaluation in ["knn --k 10", "linear"]:
            shell(f"evaluate {evaluation} --train {folder}/learn.tensors.zst --test {folder}/{part}.tensors.zst --quiet"
                  f" -o {folder}/result.json > {folder}/result.txt")
            with open(f"{folder}/result.json") as file:
                result[part][evaluation.split()[0]] = round(json.load(file)["results"][0]["top1"], 2)
    return result


def result_path(run):
    return f"{RESULTS}/{run.set}/{run.name}.json"


def done(run):
    """A run's result, if one with these options exists."""
    result = results.read(result_path(run))
    return result if result and (result["options"], result["seen"], result["data"]) == (run.options(), run.seen, DATA) else None


def version():
    """The tools' version, and the commit that last changed them."""
    said = subprocess.run(["train-step", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    commit = subprocess.run(["git", "log", "-1", "--format=%h", "--", "Sources"], capture_output=True, text=True).stdout.strip()
    return f"{said} {commit}".strip()


def references(name):
    """Evaluates the teachers and the untrained students: the range of possible gains."""
    for network in ["teacher", USUAL] + NETWORKS:
        path = f"{RESULTS}/{name}/{network}.json"
        if (results.read(path) or {}).get("data") != DATA:
            folder = f"{WORK}/{name}/{network}"
            weights = teacher_weights(name, USUAL if network == USUAL else "own")
            if network in NETWORKS:
                weights = made(f"{folder}/0.safetensors", f"initialize --network {network} --quiet -o {folder}/0.safetensors")
            results.write(path, {"set": name, "network": network, "data": DATA, **judge(name, weights, folder), "version": version()})
            shutil.rmtree(folder)


def perform(run):
    start = time.monotonic()
    student, kl = train(run)
    folder = os.path.dirname(student)
    judged = judge(run.set, student, folder)
    results.write(result_path(run), {**dataclasses.asdict(run), "options": run.options(), "seen": run.seen, "data": DATA, "kl": round(kl, 4), **judged,
                             "version": version(), "seconds": round(time.monotonic() - start)})
    shutil.rmtree(folder)
    # The corner's streams are large: remove them after its last run.
    if all(done(other) for other in runs() if other.streams == run.streams):
        shutil.rmtree(run.streams, ignore_errors=True)
    return judged


class Work:
    """The missing runs and their workers, which share the processors. Each worker has a set of its own, whose streams it makes.

    Two runs on one processor each take three quarters of the time of two consecutive runs on both processors.
    """

    def __init__(self, missing):
        self.missing = missing
        self.busy = set()
        self.done = 0
        self.failure = None
        self.start = time.monotonic()
        self.changed = threading.Condition()

    def next(self):
        """A run on a set that no other worker is using; None at the end."""
        with self.changed:
            while self.missing and not self.failure:
                run = next((run for run in self.missing if run.set not in self.busy), None)
                if run:
                    self.missing.remove(run)
                    self.busy.add(run.set)
                    return run
                self.changed.wait()

    def work(self, processors):
        os.sched_setaffinity(0, processors)
        while run := self.next():
            try:
                judged = perform(run)
            except (Failure, OSError, ValueError) as failure:
                judged, self.failure = None, self.failure or failure
            with self.changed:
                self.busy.remove(run.set)
                self.changed.notify_all()
                if judged:
                    self.tell(run, judged["test"])

    def tell(self, run, test):
        self.done += 1
        left = len(self.missing) + len(self.busy)
        hours = (time.monotonic() - self.start) / self.done * left / 3600
        print(f"make: defaults: {run.set} {run.name}: k-NN {test['knn']:.1f}, linear {test['linear']:.1f}; {left} runs left, {hours:.1f} h",
              file=sys.stderr, flush=True)


def run_next(first, sets, teacher):
    for name in sets:
        references(name)
    work = Work([run for run in runs() if run.set in sets and teacher in (None, run.teacher) and not done(run)][:first])
    processors = sorted(os.sched_getaffinity(0))
    count = min(len(sets), len(processors))
    workers = [threading.Thread(target=work.work, args=[processors[number::count]]) for number in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if work.failure:
        raise work.failure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["run", "table", "list"])
    parser.add_argument("--first", type=int, help="stop after so many runs")
    parser.add_argument("--sets", default=" ".join(SETS), help="on these sets only")
    parser.add_argument("--teacher", choices=list(TEACHERS), help="students of this teacher only")
    options = parser.parse_args()
    if options.command == "run":
        os.makedirs(WORK, exist_ok=True)
        with open(f"{WORK}/lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                sys.exit("make: defaults is being made already, by another process")
            try:
                run_next(options.first, options.sets.split(), options.teacher)
            except Failure as failure:
                sys.exit(str(failure))
    elif options.command == "list":
        for run in runs():
            result = done(run)
            print("done   " if result else "missing", run.set, run.name, result["test"] if result else "")
    else:
        found = {run: done(run) for run in runs()}
        judged = {(name, network): results.read(f"{RESULTS}/{name}/{network}.json") for name in SETS for network in ["teacher", USUAL] + NETWORKS}
        table.write("docs/defaults.md", found, judged, USUAL)


if __name__ == "__main__":
    main()
