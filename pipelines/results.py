"""Results in one file each, complete or absent, so that a series of runs can be stopped and resumed."""
import json
import os


def read(path):
    """The result, or None if it is missing or incomplete."""
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def write(path, result):
    write_text(path, json.dumps(result, indent=1) + "\n")


def write_text(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".part", "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".part", path)
