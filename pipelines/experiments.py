"""Runs `make distill`, `make finetune` and `make pretrain` over lists of settings, and makes a table of their results.

    experiments.py compare-methods DATA=train.tar TEST=test.tar TEACHER=teacher.safetensors [--first N] [--list]
    experiments.py ablate DATA=train.tar TEST=test.tar SIZE=128

Each result is a separate file, FOLDER/NAME.json (FOLDER defaults to runs/compared or runs/ablation). A run with a result for the same settings is
not repeated, so the work can be stopped and resumed. `--first N` does only the next N runs; `--list` lists the results. The table is FOLDER/table.md.
Besides the accuracies from the run's own table, a result has the processor time, and the peak memory of the run's largest program. SETTINGS lists the
settings; make passes on those typed after it in MAKEFLAGS.
"""
import argparse
import dataclasses
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

import results

RUNS = ".build/experiments"
# In the folder of a run that is kept: the settings it was made with.
IDENTITY = "experiment.json"
# The settings and their defaults; None: required.
SETTINGS = {
    "compare-methods": {
        "DATA": None, "TEST": "", "TEACHER": "", "SIZE": 64, "EPOCHS": 12, "BATCH": 64, "SEEDS": 3, "STUDENTS": "resnet18 mobilenet-v3-large", "FOLDER": "runs/compared"},
    "ablate": {"DATA": None, "TEST": "", "TEACHER": "", "SIZE": 128, "EPOCHS": 12, "BATCH": 64, "STUDENTS": "mobilenet-v3-large", "FOLDER": "runs/ablation"},
}
# The teacher of make distill if TEACHER is empty.
USUAL_TEACHER = "efficientnet-lite0"
# Methods that learn from one teacher.
DISTILLERS = ["seed", "seed-batch", "simreg", "compress-1q", "compress-2q", "disco", "bingo", "queue-kl", "feature-mse"]
# swav-distillation needs a teacher whose head ends in prototypes, seed-teachers needs several teachers: one given teacher does not suit them.
LEFT_OUT = ["swav-distillation", "seed-teachers"]
PRETRAINING = ["moco-v2", "moco-v1", "simclr", "swav", "byol", "simsiam", "barlow-twins", "supervised", "supervised-contrastive"]


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A run: its name, make target, settings, and position in the table."""
    name: str
    target: str
    settings: tuple
    row: str
    column: str
    # The run whose student is this run's teacher.
    teacher: "Experiment | None" = None
    # Whether this is such a run, whose weights are kept.
    is_teacher: bool = False

    def words(self, common):
        return [f"{key}={value}" for key, value in {**common, **dict(self.settings)}.items() if value != ""]


def compare_methods(options):
    """The methods that need at most one teacher: distillation into each student, with SEEDS seeds for the first student; pretraining once, of the first student."""
    found = []

    def add(row, method, teacher=None, **more):
        for number, student in enumerate(options.students.split()):
            for seed in range(options.seeds if number == 0 else 1):
                settings = {"METHOD": method, "STUDENT": student, "SEED": seed, **({} if teacher else {"TEACHER": options.teacher}), **more}
                found.append(Experiment(f"{row}-{student}-{seed}", "distill", tuple(settings.items()), row, student, teacher))

    for method in DISTILLERS:
        add(method, method)
    add("seed-small-patches", "seed", CROPS="small-patches")
    student = options.students.split()[0]
    if options.teacher:
        # kd's teacher is the given one, finetuned to classify the images.
        finetuned = (("FROM", options.teacher), ("SEED", 0))
        classifier = Experiment("finetune-teacher", "finetune", finetuned, "finetune", "the teacher", is_teacher=True)
        found.append(classifier)
        add("kd", "kd", classifier)
    for method in PRETRAINING:
        found.append(Experiment(f"{method}-{student}-0", "pretrain", (("METHOD", method), ("STUDENT", student), ("SEED", 0)), method, student))
    # The first seed of all runs comes before any second seed, and the first student before the others.
    others = options.students.split()[1:]
    return sorted(found, key=lambda experiment: (dict(experiment.settings)["SEED"], dict(experiment.settings).get("STUDENT") in others))


def ablate(options):
    """The paper's ablations at a small scale: queue, both temperatures, three teachers, same and different views. One run with all defaults serves a row of each."""
    student = options.students.split()[0]

    def one(row, value, **settings):
        name = f"{row} {value}".replace(" ", "-").replace("/", "-") if settings else "defaults"
        return Experiment(name, "distill", tuple({"STUDENT": student, "SEED": 0, "TEACHER": options.teacher, **settings}.items()), row, str(value))

    usual = usual_options("seed")
    found = [one("queue", "half the images")] + [one("queue", K, QUEUE=K) for K in (128, 512, 2048, 8192, 65536)]
    found += [one("student temperature", 0.2)] + [one("student temperature", t, STUDENT_OPTIONS=f"{usual} --student-temperature {t}") for t in (0.05, 0.1, 0.5)]
    fixed = without(usual, "--teacher-temperature")
    found += [one("teacher temperature", "auto")] + [one("teacher temperature", t, STUDENT_OPTIONS=f"{fixed} --teacher-temperature {t}") for t in (0.003, 0.01, 0.03, 0.1)]
    given = options.teacher or USUAL_TEACHER
    found += [one("teacher", os.path.basename(given))] + [
        one("teacher", teacher, TEACHER=teacher) for teacher in ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2") if teacher != given]
    found += [one("views", "same"), one("views", "different", CROPS=f"2x{options.size}", STUDENT_OPTIONS=f"{usual} --student-view 1")]
    return found


def without(words, option):
    words = words.split()
    while option in words:
        at = words.index(option)
        del words[at:at + 2]
    return " ".join(words)


def folder(options, experiment):
    """The folder of the run while it is running; a teacher's is kept."""
    name = f"{options.kind}-{experiment.name}".replace(".", "_")
    return f"{RUNS}/{name}"


def taught(options, experiment):
    """The weights of a teacher run, which is run first if they are missing or from other settings."""
    run = folder(options, experiment)
    if results.read(f"{run}/{IDENTITY}") != identity(options, experiment) or not os.path.exists(f"{run}/student.safetensors"):
        perform(options, experiment)
    return f"{run}/student.safetensors"


def path(options, experiment):
    return f"{options.folder}/{experiment.name}.json"


def common(options):
    """The settings that all runs of a table share."""
    return {"DATA": options.data, "TEST": options.test, "SIZE": options.size, "EPOCHS": options.epochs, "BATCH": options.batch, "KEEP": 1}


def identity(options, experiment):
    """The settings that identify a result; files without their folders, so that it can be made elsewhere."""
    teacher = {"TEACHER": {"the student of": identity(options, experiment.teacher)}} if experiment.teacher else {}
    return {key: named(value) if key in ("DATA", "TEST", "TEACHER", "FROM") and isinstance(value, str) else value for key, value in {**common(options), **dict(experiment.settings), **teacher}.items()}


def named(path):
    """A file's name and size, or a folder's name and number of files; their location does not matter."""
    path = str(path).rstrip("/")
    if os.path.isdir(path):
        return f"{os.path.basename(path)}, {sum(len(files) for _, _, files in os.walk(path))} files"
    return f"{os.path.basename(path)}, {os.path.getsize(path)} bytes" if os.path.exists(path) else path


def usual_options(method, when="given"):
    """make's default options for a method, on `given` images or for a network to be `finetuned`."""
    path = f"pipelines/conf/{method}"
    if not os.path.exists(path):
        return ""
    with open(path) as file:
        lines = [line.strip() for line in file]
    return next((line.removeprefix(f"{when} ") for line in lines if line.startswith(f"{when} ")), "")


def options_of(experiment):
    """The default options of the run's student: a result from other options is made again."""
    settings, is_finetuned = dict(experiment.settings), experiment.target == "finetune"
    if "STUDENT_OPTIONS" in settings:
        return ""
    return usual_options(settings.get("METHOD", "supervised" if is_finetuned else "seed"), "finetuned" if is_finetuned else "given")


def done(options, experiment):
    result = results.read(path(options, experiment))
    is_current = result and result["settings"] == identity(options, experiment) and result["options"] == options_of(experiment)
    return result if is_current else None


def outside_make():
    """The environment without the variables that a make sets for its sub-makes."""
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL")}


def perform(options, experiment):
    """Runs make in a separate process, to measure the memory of its largest program."""
    run, teacher = folder(options, experiment), [f"TEACHER={taught(options, experiment.teacher)}"] if experiment.teacher else []
    # The tools are built once for all runs.
    command = ["make", "--no-print-directory", experiment.target, "BUILD=no", f"NAME={os.path.basename(run)}", f"RUNS={RUNS}"] + experiment.words(common(options))
    command += teacher
    # The remains of a stopped run have other times and perhaps other settings.
    shutil.rmtree(run, ignore_errors=True)
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=outside_make())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"make: {experiment.name} has failed: {' '.join(command)}")
    table = results.read(f"{run}/table.json")
    if table is None:
        sys.exit(f"make: {run}/table.json is not there; give TEST, or labels that the images can be judged by")
    results.write(path(options, experiment), {
        "settings": identity(options, experiment), "options": options_of(experiment), "rows": table, "seconds": round(time.monotonic() - start), "processor_seconds": round(usage.ru_utime + usage.ru_stime),
        "memory": usage.ru_maxrss << 10})
    # Only the accuracy of the weights is needed, except for a teacher's weights.
    if experiment.is_teacher:
        results.write(f"{run}/{IDENTITY}", identity(options, experiment))
    else:
        shutil.rmtree(run)


def accuracies(result, subject):
    """A row of a run's table, with k-NN and linear top-1 in %."""
    for row in result["rows"].get("rows", []):
        if row["name"] == subject:
            return row
    return {}


def spread(values):
    values = [value for value in values if value is not None]
    if not values:
        return ""
    return f"{statistics.mean(values):.1f}" + (f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else "")


def table(options, experiments):
    groups = {}
    for experiment in experiments:
        if result := done(options, experiment):
            groups.setdefault((experiment.row, experiment.column), []).append(result)
    if not groups:
        sys.exit("make: no run has a result yet")
    some = next(iter(groups.values()))[0]
    head = ["method", "student"] if options.kind == "compare-methods" else ["what", "value"]
    lines = [f"| {head[0]} | {head[1]} | k-NN | linear | runs | processor minutes | memory, MB |", "|---|---|---|---|---|---|---|"]
    # One row for each teacher and each untrained student.
    for subject, key in (("teacher", "TEACHER"), ("student before", "STUDENT")):
        first = {}
        for result in (result for group in groups.values() for result in group if key in result["settings"] and accuracies(result, subject)):
            name = result["settings"][key] or USUAL_TEACHER
            # A teacher made for this table has its own row.
            if isinstance(name, str):
                first.setdefault(name, accuracies(result, subject))
        for name, row in first.items():
            lines.append(f"| {subject} | {name} | {spread([row.get('knn_top1')])} | {spread([row.get('linear_top1')])} | | | |")
    for (row, column), group in groups.items():
        after = [accuracies(result, "student after") for result in group]
        minutes = statistics.mean(result["processor_seconds"] for result in group) / 60
        lines.append(
            f"| {row} | {column} | {spread([a.get('knn_top1') for a in after])} | {spread([a.get('linear_top1') for a in after])} | {len(group)} | {minutes:.1f} |"
            f" {max(result['memory'] for result in group) / 1e6:.0f} |")
    said = ", ".join(f"{key} {value}" for key, value in some["settings"].items() if key in ("DATA", "TEST", "SIZE", "EPOCHS", "BATCH"))
    results.write_text(f"{options.folder}/table.md", f"{said}; top-1 accuracy in %.\n\n" + "\n".join(lines) + "\n")
    print("\n".join(lines))


def typed(arguments):
    """NAME=value from the command line and from make's, where a backslash or a dollar sign escapes a blank, a backslash or a dollar sign in a value."""
    words = [re.sub(r"[\\$](.)", r"\1", word) for word in re.findall(r"(?:[\\$].|[^ \\$])+", os.environ.get("MAKEFLAGS", "").partition("-- ")[2])]
    return dict(word.split("=", 1) for word in words[::-1] + arguments if "=" in word)


def chosen(kind, arguments):
    """The checked settings."""
    usual, given = SETTINGS[kind], typed(arguments)
    for name in given:
        if name not in usual and name not in ("EXPERIMENTS_FIRST", "EXPERIMENTS_LIST", "BUILD"):
            sys.exit(f"make: {kind} has no setting {name}; it takes {', '.join(usual)}")
    values = {"build": given.get("BUILD", "yes")}
    for name, value in usual.items():
        text = given.get(name, value)
        if text is None:
            sys.exit(f"make: {kind} needs {name}=, the images")
        if isinstance(value, int) and not (str(text).isdigit() and int(text) > 0):
            sys.exit(f"make: {name}={text}: takes a number from 1 on")
        values[name.lower()] = int(text) if isinstance(value, int) else text
    for name in ("DATA", "TEST", "TEACHER"):
        path = values[name.lower()]
        if path and not os.path.exists(path) and not (name == "TEACHER" and path.startswith("efficientnet-lite")):
            sys.exit(f"make: {name}={path}: there is no such file or folder")
    if not values["students"].split():
        sys.exit("make: STUDENTS is empty; name networks")
    if kind == "ablate" and len(values["students"].split()) > 1:
        sys.exit("make: ablate takes one network in STUDENTS")
    return values


def check_students(students):
    """Exits with initialize's message if a student is not a network."""
    for student in students:
        process = subprocess.run(["initialize", "--check-options", "--network", student, "-o", "student"], stderr=subprocess.PIPE, text=True)
        if process.returncode:
            sys.exit(f"make: STUDENTS: {student}: {process.stderr.strip().splitlines()[0] if process.stderr.strip() else 'is no network'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=list(SETTINGS))
    parser.add_argument("settings", nargs="*", metavar="SETTING=value")
    parser.add_argument("--first", metavar="N", help="stop after so many runs")
    parser.add_argument("--list", action="store_true", help="say what is there, and do nothing")
    options = parser.parse_args()
    for name, value in chosen(options.kind, options.settings).items():
        setattr(options, name, value)
    if options.first is not None:
        if not (options.first.isdigit() and int(options.first) > 0):
            sys.exit(f"make: EXPERIMENTS_FIRST={options.first}: takes a number from 1 on")
        options.first = int(options.first)
    experiments = {"compare-methods": compare_methods, "ablate": ablate}[options.kind](options)
    # Rows may share a run.
    missing = list({experiment.name: experiment for experiment in experiments if not done(options, experiment)}.values())
    if missing and not options.list and options.build == "yes":
        subprocess.run(["make", "--no-print-directory", "build"], check=True, env=outside_make())
    if not options.list:
        # Otherwise the error would appear hours later.
        check_students(options.students.split())
    if options.list:
        for name in dict.fromkeys(experiment.name for experiment in experiments):
            print("missing" if any(experiment.name == name for experiment in missing) else "done   ", name)
        return
    for number, experiment in enumerate(missing[:options.first]):
        print(f"make: {options.kind}: {experiment.name}, {len(missing) - number} left", file=sys.stderr, flush=True)
        perform(options, experiment)
    table(options, experiments)


if __name__ == "__main__":
    main()
