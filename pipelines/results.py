"""Results that are a file each, so that many runs may be stopped and go on: whole, or not there."""
import json
import os


def read(path):
    """None where there is none, or not a whole one."""
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
