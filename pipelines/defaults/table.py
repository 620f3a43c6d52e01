"""Writes docs/defaults.md: each rate's accuracy on each data set, and how far the default is below the best."""
import os

import product

HEAD = """# Which defaults hold

`make defaults` makes this page from the results in docs/defaults. Each student sees {seen} images in all, at 64×64, and is trained with
`{options}`
and a learning rate. make's default rate grows with the square root of the batch size and is {base:g} for 256 images.

Students are evaluated by k-NN (k = 10) and by a linear classifier with 6000 labelled images, on 3000 test images from other sources
than the training data. The figures are test accuracies in %, k-NN / linear. The best rate of each row (bold) is chosen on 3000 other
images, held out of the training data, by the mean of both measures. The default is compared with it by the same mean.

MobileNetV3's rows with batches of 128 and 256, and with the default teacher, have fewer than 500 steps. When these runs were made, its
running statistics still kept up to a tenth of their initial values after so few steps. This has been fixed (docs/networks.md), so such
students are now better than these figures.

"""

USUAL_HEAD = """## Students of the default teacher

The same with EfficientNet-Lite0, the teacher that is used if none is named: a student learns its 1280 pooled features and sees {seen}
images. These are so few that its divergence from the teacher has hardly begun to fall, so a row says little beyond which rate starts
best. Each figure is one run, and a rate that is best on one set is worst on another. The students of the README, which see eight times
as many images, come within a point of this teacher.

"""

KINDS = {
    "objects": "40 photographed objects on photographed backgrounds",
    "glyphs": "40 letters, digits and signs among others, in print, grey; the test set has other font families",
    "emoji": "40 emoji among smaller other ones, on colour gradients",
    "textures": "40 surfaces (stone, wood, metal), rotated, in any tint and light; the test set has the other halves of them",
}


def default_rate(rates, batch):
    """The rate in `rates` that is make's default, up to rounding; None if there is none."""
    exact = product.default().rate * (batch / 256) ** 0.5
    return next((rate for rate in rates if abs(rate / exact - 1) < 0.002), None)


def both(judged):
    return f"{judged['knn']:.1f} / {judged['linear']:.1f}"


def mean(judged):
    return (judged["knn"] + judged["linear"]) / 2


def write(path, results, judged, usual):
    """Both tables: students of a set's own teacher, and of the default teacher."""
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
    """A table with a row for each set, network, batch size and number of images, and a column for each rate."""
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
    """The results of all rates for each (set, network, batch, images)."""
    cells = {}
    for run, result in results.items():
        cell = cells.setdefault((run.set, run.network, run.batch, run.images), {})
        if result:
            cell[run.rate] = result
    return cells


def tells(cell, batch):
    """Whether there is a result for the default rate, and another to compare it with."""
    return len(cell) > 1 and default_rate(cell, batch) is not None


def best_rate(cell):
    return max(cell, key=lambda rate: mean(cell[rate]["held-out"]))


def below(cell, batch):
    """How many points the default's mean of both measures is below that of the best rate."""
    return mean(cell[best_rate(cell)]["test"]) - mean(cell[default_rate(cell, batch)]["test"])


def summary(results):
    finished = {key: cell for key, cell in cells_of(results).items() if tells(cell, key[2])}
    done = sum(result is not None for result in results.values())
    lines = f"{done} of {len(results)} runs are done; {len(finished)} of {len(cells_of(results))} rows have results for the default and for a rate to compare it with."
    if not finished:
        return lines
    worst = max(finished, key=lambda key: below(finished[key], key[2]))
    return (f"**At worst, the default is {below(finished[worst], worst[2]):.1f} points below the best of its row** "
            f"({worst[0]}, {worst[1]}, batch {worst[2]}, {worst[3]} images). " + lines)
