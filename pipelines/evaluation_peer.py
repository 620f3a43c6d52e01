"""Compares evaluate with faiss, PyTorch and scikit-learn, in turn, each a process of its own, and tells whether the results are the same.

    python3 pipelines/evaluation_peer.py [--parts 'knn probe convex'] [--turns 3] [--threads 2]
                                         (needs faiss-cpu, numpy, scikit-learn, torch, safetensors and zstandard; finds the tools in PATH)

    knn      50000 queries, 40000 training rows of 512 numbers; faiss' IndexFlatIP, and a vote of its neighbours
    probe    SGD of a linear classifier of 1000 classes on 100000 rows of 512 numbers; PyTorch
    convex   logistic regression by L-BFGS of 100 classes on 20000 rows of 512 numbers; scikit-learn; both until the objective is the same to six digits

Rows are numbers of a formula: class means and noise, by numpy's generator. Times are of whole processes, which begin with the rows in a file: a stream, or numpy's. Memory is the most that a process took.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))
QUERIES, DIMENSION = 50_000, 512


def rows(count, classes, seed, noise):
    """Features (count, DIMENSION) and labels: class means plus noise."""
    import numpy

    means = numpy.random.default_rng(0).standard_normal((classes, DIMENSION), numpy.float32)
    random = numpy.random.default_rng(seed)
    labels = random.integers(0, classes, count)
    return means[labels] + numpy.float32(noise) * random.standard_normal((count, DIMENSION), numpy.float32), labels


def store(path, features, labels, classes):
    """Writes the rows as a tensor stream and as a NumPy file."""
    import numpy
    from streams import Writer

    numpy.savez(path + ".npz", features=features, labels=labels)
    with open(path + ".tensors.zst", "wb") as file, Writer(file, {"classes": json.dumps([f"class{c:04d}" for c in range(classes)])}) as writer:
        for start in range(0, len(labels), 1024):
            part = slice(start, start + 1024)
            index = numpy.arange(start, start + len(labels[part]), dtype=numpy.int64)
            writer.write({"features": features[part], "label": labels[part].astype(numpy.int64), "index": index})


def make(options, folder, classes, training, queries, noise):
    """Makes both sets in a separate process, because a child's peak memory starts at its parent's."""
    for name, count, seed in (("train", training, 1), ("test", queries, 2)):
        words = json.dumps([f"{folder}/{name}", count, classes, seed, noise])
        subprocess.run([sys.executable, __file__, "--peer", "make", "--words", words], check=True)
    return f"{folder}/train", f"{folder}/test"


def peer_make(path, count, classes, seed, noise):
    store(path, *rows(count, classes, seed, noise), classes)


def measured(command, options):
    """Seconds and peak memory (MiB) of a process."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "OPENBLAS_NUM_THREADS": str(options.threads)}
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {' '.join(command)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def results_of(found, theirs):
    """The results of both, in words."""
    a, b = (json.load(open(path)) for path in (found, theirs))
    text = f"top-1 {a['results'][0]['top1']:.2f} and {b['top1']:.2f} %"
    return text + (f", objective {a['protocol']['objective']:.8f} and {b['objective']:.8f}" if "objective" in b else "")


def turns(what, ours, peer, options, found, theirs):
    """Runs both alternately, then prints a row of the table."""
    times = {"ours": [], "peer": []}
    for _ in range(options.turns):
        times["ours"].append(measured(ours, options))
        times["peer"].append(measured(peer, options))
    middle = {name: statistics.median(seconds for seconds, _ in values) for name, values in times.items()}
    memory = {name: max(memory for _, memory in values) for name, values in times.items()}
    ratios = sorted(b[0] / a[0] for a, b in zip(times["ours"], times["peer"]))
    print(f"| {what} | {middle['ours']:.1f} | {middle['peer']:.1f} | {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) | {memory['ours']:.0f} | {memory['peer']:.0f} | {results_of(found, theirs)} |", flush=True)


def peer_of(part, options, *words):
    return [sys.executable, __file__, "--peer", part, "--threads", str(options.threads), "--words", json.dumps(words)]


def knn(options, folder):
    train, test = make(options, folder, 1000, options.slice, QUERIES, 1.5)
    for k in options.k.split():
        found, theirs = f"{folder}/ours.{k}.json", f"{folder}/theirs.{k}.json"
        ours = ["evaluate", "knn", "--train", train + ".tensors.zst", "--test", test + ".tensors.zst", "--k", k, "--vote", "majority", "--threads", str(options.threads), "--quiet", "-o", found]

        turns(f"k-NN, k = {k}, {QUERIES} queries, {options.slice} training rows", ours, peer_of("knn", options, train, test, int(k), theirs), options, found, theirs)


def peer_knn(train, test, k, output):
    import faiss
    import numpy

    faiss.omp_set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    train, test = numpy.load(train + ".npz"), numpy.load(test + ".npz")
    (features, labels), (queries, wanted) = ((file["features"], file["labels"]) for file in (train, test))
    faiss.normalize_L2(features)
    faiss.normalize_L2(queries)
    index = faiss.IndexFlatIP(DIMENSION)
    index.add(features)
    _, neighbours = index.search(queries, k)
    right, classes = 0, int(labels.max()) + 1
    for start in range(0, len(wanted), 1000):
        votes = labels[neighbours[start:start + 1000]]
        counts = numpy.zeros((len(votes), classes), numpy.int32)
        numpy.add.at(counts, (numpy.arange(len(votes))[:, None], votes), 1)
        # Among classes with equal votes, the class with the nearest neighbour wins.
        own = numpy.take_along_axis(counts, votes, 1)
        right += int((numpy.take_along_axis(votes, own.argmax(1)[:, None], 1)[:, 0] == wanted[start:start + 1000]).sum())
    json.dump({"top1": 100 * right / len(wanted)}, open(output, "w"))


def probe(options, folder):
    (train, test), epochs = make(options, folder, 1000, 100_000, 20_000, 4), options.epochs
    found, theirs = f"{folder}/ours.json", f"{folder}/theirs.json"
    ours = ["evaluate", "linear", "--solver", "sgd", "--normalize", "none", "--epochs", str(epochs), "--batch", "256", "--learning-rate", "0.1", "--schedule", "cosine", "--warm-up", "0",
            "--weight-decay", "0", "--train", train + ".tensors.zst", "--test", test + ".tensors.zst", "--threads", str(options.threads), "--quiet", "-o", found]

    turns(f"SGD, 100000 rows, 1000 classes, {epochs} epochs", ours, peer_of("probe", options, train, test, epochs, theirs), options, found, theirs)


def peer_probe(train, test, epochs, output):
    import math

    import numpy
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    train, test = numpy.load(train + ".npz"), numpy.load(test + ".npz")
    (x, y), (queries, wanted) = ((torch.from_numpy(file["features"]), torch.from_numpy(file["labels"])) for file in (train, test))
    layer = torch.nn.Linear(DIMENSION, 1000)
    torch.nn.init.normal_(layer.weight, std=0.01)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), 0.1, momentum=0.9, fused=True)
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = 0.1 * 0.5 * (1 + math.cos(math.pi * epoch / epochs))
        order = torch.randperm(len(y))
        for start in range(0, len(y), 256):
            part = order[start:start + 256]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(layer(x[part]), y[part]).backward()
            optimizer.step()
    with torch.no_grad():
        right = (layer(queries).argmax(1) == wanted).float().mean().item()
    json.dump({"top1": 100 * right}, open(output, "w"))


def convex(options, folder):
    (train, test), penalty = make(options, folder, 100, 20_000, 5000, 4), 0.01
    found, theirs = f"{folder}/ours.json", f"{folder}/theirs.json"
    ours = ["evaluate", "linear", "--solver", "convex", "--penalty", str(penalty), "--tolerance", "1e-5", "--train", train + ".tensors.zst", "--test", test + ".tensors.zst",
            "--threads", str(options.threads), "--quiet", "-o", found]

    turns("L-BFGS, 20000 rows, 100 classes", ours, peer_of("convex", options, train, test, penalty, theirs), options, found, theirs)


def peer_convex(train, test, penalty, output):
    import numpy
    from scipy.special import logsumexp
    from sklearn.linear_model import LogisticRegression

    train, test = numpy.load(train + ".npz"), numpy.load(test + ".npz")
    (x, y), (queries, wanted) = ((file["features"], file["labels"]) for file in (train, test))
    mean, deviation = x.mean(0, dtype=numpy.float64), x.std(0, dtype=numpy.float64)
    x, queries = (((rows - mean) / deviation).astype(numpy.float32) for rows in (x, queries))
    # The mean loss plus λ/2 ‖W‖²: C = 1/(n λ). The tolerance applies to the largest component of that mean's gradient.
    model = LogisticRegression(C=1 / (len(y) * penalty), tol=TOLERANCE, max_iter=1000).fit(x, y)
    scores = x @ model.coef_.T + model.intercept_
    objective = (logsumexp(scores, axis=1) - scores[numpy.arange(len(y)), y]).mean() + penalty / 2 * (model.coef_.astype(numpy.float64) ** 2).sum()
    json.dump({"top1": 100 * float((model.predict(queries) == wanted).mean()), "objective": float(objective), "iterations": int(model.n_iter_[0])}, open(output, "w"))


TOLERANCE = 1e-6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="knn probe convex")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--slice", type=int, default=40_000, help="training rows of knn")
    parser.add_argument("--k", default="10 200")
    parser.add_argument("--epochs", type=int, default=5, help="of probe")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--words", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return {"make": peer_make, "knn": peer_knn, "probe": peer_probe, "convex": peer_convex}[options.peer](*json.loads(options.words))
    print("| | evaluate, s | peer, s | times as fast | evaluate, MB | peer, MB | |\n|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for part in options.parts.split():
            {"knn": knn, "probe": probe, "convex": convex}[part](options, folder)


if __name__ == "__main__":
    main()
