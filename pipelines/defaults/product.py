"""The product's defaults, as `plan settings` reports them."""
import collections
import functools
import os
import re
import subprocess
import sys

PIPELINES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
Default = collections.namedtuple("Default", "rate options")


@functools.cache
def default():
    """STUDENT_OPTIONS of a run on given images: its learning rate for batches of 256, and all other options."""
    try:
        lines = subprocess.run(["plan", "settings", "--pipelines", PIPELINES], capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"make: plan does not tell the settings: {error}; run make build, and take .build/release into PATH")
    # NAME help (default), or (default; the default for drawn images).
    line = next((line for line in lines if line.startswith("STUDENT_OPTIONS ")), "")
    found = re.search(r"\(([^();]*?)--base-learning-rate ([0-9.e-]+)([^();]*)(;.*)?\)$", line)
    if not found:
        sys.exit(f"make: plan settings tells no --base-learning-rate for STUDENT_OPTIONS: {line}")
    return Default(float(found[2]), " ".join((found[1] + found[3]).split()))
