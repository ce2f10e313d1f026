"""Checks that Spark and Ray caption each picture once with workers of `caption.ts worker`, one of which is killed.

    python3 tests/scripts/check_fleet.py       # calls `deno` and `java`; LIMNER_TEST_LONG=1 takes 2,000 pictures
"""
import os
import pathlib
import shutil
import subprocess
import sys

from run_example import run_example

root = pathlib.Path(__file__).resolve().parents[2]
count = "2000" if os.environ.get("LIMNER_TEST_LONG") == "1" else "100"


def install_java():
    """Spark needs Java 17 or later; where there is none, and it may, this installs Debian's."""
    if shutil.which("java"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit("there is no java, and none can be installed: expected Java 17 or later")
    for command in (["update"], ["install", "-y", "--no-install-recommends", "default-jre-headless"]):
        subprocess.run(["apt-get", "-qq", *command], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


install_java()
failures = 0
for name in ("spark_captions.py", "ray_captions.py"):
    status, said = run_example(root / "examples/fleet" / name, "--check", count, timeout=1200)
    if status == 0:
        print(said.rstrip().split("\n")[-1])
    else:
        failures += 1
        print(said)
        print(f"{name} ended with {status}")
sys.exit(1 if failures else 0)
