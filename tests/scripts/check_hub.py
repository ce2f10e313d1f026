"""Python's huggingface_hub and Limner share a cache: what one downloaded the other reads, also while both download.

    python3 tests/scripts/check_hub.py        # calls `deno`; LIMNER_TEST_LONG=1 lets both download 20 times
"""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_TOKEN": ""}
ROOT = pathlib.Path(__file__).parents[2]
FILES = ["config.json", "tokenizer.json", "parts/more.json", "model.safetensors"]
TURNS = 20 if os.environ.get("LIMNER_TEST_LONG") == "1" else 3

server = subprocess.Popen(
    ["deno", "run", "-A", "--quiet", str(ROOT / "tests/scripts/serve_hub.ts")], cwd=ROOT, stdout=subprocess.PIPE, text=True
)
endpoint = server.stdout.readline().strip()
os.environ["HF_ENDPOINT"] = endpoint

import huggingface_hub as hub  # noqa: E402  it reads the environment when it is imported


def limner(cache, files, online):
    """Start Limner reading files through a cache."""
    script = str(ROOT / "tests/scripts/load_from_hub.ts")
    command = ["deno", "run", "-A", "--quiet", script, cache, endpoint if online else "", *files]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def lines(process):
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return output.split()


def hashes(snapshot):
    return [hashlib.sha256((pathlib.Path(snapshot) / file).read_bytes()).hexdigest() for file in FILES]


def check_cache(cache, snapshot):
    """Whatever Python finds in a cache is whole, is what its name says, and is there once."""
    scan = hub.scan_cache_dir(cache)
    assert not scan.warnings, scan.warnings
    [repo] = scan.repos
    [revision] = repo.revisions
    assert revision.refs == {"main"}, revision.refs
    assert str(revision.snapshot_path) == str(pathlib.Path(snapshot).resolve())
    assert {str(file.file_path.relative_to(revision.snapshot_path)) for file in revision.files} >= set(FILES)
    blobs = sorted(path.name for path in (repo.repo_path / "blobs").iterdir())
    assert len(blobs) == len(FILES) and all(len(name) in (40, 64) for name in blobs), blobs
    for name in blobs:
        content = (repo.repo_path / "blobs" / name).read_bytes()
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        assert name in (git, hashlib.sha256(content).hexdigest()), name


try:
    with tempfile.TemporaryDirectory() as cache:
        ours = lines(limner(cache, [*FILES, "none.json"], online=True))
        assert ours[-1] == "none"
        snapshot = hub.snapshot_download("org/name", cache_dir=cache, local_files_only=True)
        assert hashes(snapshot) == ours[:-1]
        check_cache(cache, snapshot)
        assert hub.try_to_load_from_cache("org/name", "none.json", cache_dir=cache) is hub._CACHED_NO_EXIST
        assert hub.hf_hub_download("org/name", "config.json", cache_dir=cache, local_files_only=True)
        assert not list(pathlib.Path(cache).glob("*/trees")), "Limner writes no listing"
    print("what Limner downloads, Python reads")

    with tempfile.TemporaryDirectory() as cache:
        theirs = hashes(hub.snapshot_download("org/name", cache_dir=cache))
        assert lines(limner(cache, [*FILES, "none.json"], online=False)) == [*theirs, "none"]
    print("what Python downloads, Limner reads without a request")

    for turn in range(TURNS):
        with tempfile.TemporaryDirectory() as cache:
            code = f"import huggingface_hub as hub; print(hub.snapshot_download('org/name', cache_dir={cache!r}))"
            both = [limner(cache, FILES, online=True)]
            both.append(subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True))
            ours, [snapshot] = [lines(process) for process in both]
            assert hashes(snapshot) == ours == theirs
            check_cache(cache, snapshot)
    print(f"huggingface_hub {hub.__version__} and Limner at once, {TURNS} times: both right, one blob each")
finally:
    server.terminate()
    server.wait()
