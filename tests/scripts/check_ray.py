"""Checks that two workers on Ray train as one with twice the batch does, also where one of them is killed."""

import pathlib
import sys

from run_example import run_example

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples/ray_train.py"

status, said = run_example(EXAMPLE, "--check", timeout=1200)
print(said)
sys.exit(status)
