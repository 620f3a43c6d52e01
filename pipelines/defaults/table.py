"""docs/defaults.md: each rate's accuracy on each data set, and how far below the best the default is."""
import os

import product

HEAD = """# Which defaults hold

Made by `make defaults` from the results in docs/defaults. Students see {seen} images in all, at 64×64, and learn with
`{options}`
and a learning rate; make's default grows with the root of the batch, {base:g} for 256 images. They are judged by k-NN (k = 10) and by a linear classifier
with 6000 labelled images, on 3000 test images of other sources than the training data's. The best rate of each row (bold) is chosen on 3000 other images,
held out of the training data, by the mean of both measures; by that mean, too, the default is compared with it. Figures are test accuracies in %,
k-NN / linear. MobileNetV3's rows of batches of 128 and 256, and of the usual teacher, have fewer than 500 steps, after which its running statistics kept up to a tenth of what they began with when these
runs were made; they do not any more (docs/networks.md), so that such students are better than these figures.

"""

USUAL_HEAD = """## Students of the usual teacher

The same with EfficientNet-Lite0, which is the teacher where none is named: a student has its 1280 pooled features to learn, and sees {seen} images.
So few that its divergence from the teacher has hardly begun to fall, and that a row says little beyond which rate begins best: one run each, and a rate that is best on one set is worst on another. The
students of the README, which see eight times as many, come within a point of this teacher.

"""

KINDS = {
    "objects": "40 photographed objects on photographed backgrounds",
    "glyphs": "40 letters, digits and signs, between others, in print, grey; test has other families of fonts",
    "emoji": "40 emoji among smaller other ones, on colours that run into each other",
    "textures": "40 surfaces (stone, wood, metal), turned, in any tint and light; test has other halves of them",
}


def default_rate(rates, batch):
    """The one of `rates` that is make's default, to the digits that they have; None where there is none."""
    exact = product.default().rate * (batch / 256) ** 0.5
    return next((rate for rate in rates if abs(rate / exact - 1) < 0.002), None)


def both(judged):
    return f"{judged['knn']:.1f} / {judged['linear']:.1f}"


def mean(judged):
    return (judged["knn"] + judged["linear"]) / 2


def write(path, results, judged, usual):
    """Both tables: students of a set's own teacher, and of the usual one."""
    own = {run: result for run, result in results.items() if run.teacher == "own"}
    others = {run: result for run, result in results.items() if run.teacher == usual}
    some = next((result for result in own.values() if result), None)
    if some is None:
        raise SystemExit("make: no run has a result yet")
    options = some["options"].split(" ", 2)[2]
    lines = [HEAD.format(seen=f"{some['seen']:,}", options=options, base=product.default().rate) + summary(own), "", "## Data and teachers", ""]
    lines += ["| set | | own teacher | EfficientNet-Lite0 | ResNet-18 untrained | MobileNetV3-Large untrained |", "|---|---|---|---|---|---|"]
    for name, kind in KINDS.items():
        cells = [judged.get((name, network)) for network in ("teacher", usual, "resnet18", "mobilenet-v3-large")]
        lines.append(f"| {name} | {kind} | " + " | ".join(both(cell["test"]) if cell else "" for cell in cells) + " |")
    lines += ["", "## Students", ""] + students(own)
    if any(others.values()):
        lines += ["", USUAL_HEAD.format(seen=f"{next(run for run in others).seen:,}") + summary(others), ""] + students(others)
    with open(path + ".part", "w") as file:
        file.write("\n".join(lines) + "\n")
    os.replace(path + ".part", path)


def students(results):
    """A table: a row for each set, network, batch and number of images, a column for each rate."""
    rates = sorted({run.rate for run in results})
    lines = ["| set | network | batch, images | " + " | ".join(f"{rate:g}" for rate in rates) + " | best | default | default below it | KL of the default, of the best |",
             "|---|---|---|" + "---|" * (len(rates) + 4)]
    for key, cell in cells_of(results).items():
        if not cell:
            continue
        name, network, batch, images = key
        row = [both(cell[rate]["test"]) if rate in cell else "" for rate in rates]
        if tells(cell, batch):
            best, default = best_rate(cell), default_rate(cell, batch)
            row[rates.index(best)] = f"**{row[rates.index(best)]}**"
            row += [f"{best:g}", f"{default:g}", f"{below(cell, batch):.1f}", f"{cell[default]['kl']:.2f}, {cell[best]['kl']:.2f}"]
        else:
            row += ["", "", "", ""]
        lines.append(f"| {name} | {network} | {batch}, {images} | " + " | ".join(row) + " |")
    return lines


def cells_of(results):
    """The results of all rates of each (set, network, batch, images)."""
    cells = {}
    for run, result in results.items():
        cell = cells.setdefault((run.set, run.network, run.batch, run.images), {})
        if result:
            cell[run.rate] = result
    return cells


def tells(cell, batch):
    """Whether there is the default's rate, and another to compare it with."""
    return len(cell) > 1 and default_rate(cell, batch) is not None


def best_rate(cell):
    return max(cell, key=lambda rate: mean(cell[rate]["held-out"]))


def below(cell, batch):
    """By how many points the default's mean of both measures is below that of the best."""
    return mean(cell[best_rate(cell)]["test"]) - mean(cell[default_rate(cell, batch)]["test"])


def summary(results):
    finished = {key: cell for key, cell in cells_of(results).items() if tells(cell, key[2])}
    done = sum(result is not None for result in results.values())
    lines = f"{done} of {len(results)} runs are done; {len(finished)} of {len(cells_of(results))} rows have the default and a rate to compare it with."
    if not finished:
        return lines
    worst = max(finished, key=lambda key: below(finished[key], key[2]))
    return (f"**At the worst the default is {below(finished[worst], worst[2]):.1f} points below the best of its row** "
            f"({worst[0]}, {worst[1]}, batch {worst[2]}, {worst[3]} images). " + lines)
