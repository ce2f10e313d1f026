"""Checks that two workers on Ray train as one with twice the batch does, also where one of them is killed."""

import pathlib
import subprocess
import sys

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples/ray_train.py"

sys.exit(subprocess.run([sys.executable, str(EXAMPLE), "--check"], stdin=subprocess.DEVNULL, timeout=600).returncode)
