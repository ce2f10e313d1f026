"""Runs an example that may use Ray, again where Ray gives up: its own processes have 30 s to start, and no setting changes that."""

import pathlib
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
gave_up = "The current node timed out during startup"


def run_example(path, *arguments, timeout):
    """Run a Python script with this Python.

    Returns its exit status and what it said; it may take `timeout` seconds.
    """
    for attempt in range(3):
        process = subprocess.run(
            [sys.executable, str(path), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=root,
            timeout=timeout,
        )
        if gave_up not in process.stdout:
            break
        print(f"Ray did not start, attempt {attempt + 1}")
    return process.returncode, process.stdout
