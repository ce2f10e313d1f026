"""Writes tests/fixtures/checkpoints/golden.json: what Python reads from every weight file under tests/fixtures/models and
from the well-formed files under tests/fixtures/bad. A tensor is [dtype, shape, first 32 hex digits of the SHA-256 of its
contiguous little-endian bytes]. Run it from the project's root with torch and safetensors installed."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import load_file

FIXTURES = Path("tests/fixtures")


def describe(tensor):
    flat = tensor.detach().contiguous().reshape(-1)
    data = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    return [str(tensor.dtype).removeprefix("torch."), list(tensor.shape), hashlib.sha256(data).hexdigest()[:32]]


def flatten(value, prefix=""):
    if isinstance(value, torch.Tensor):
        return {prefix: value}
    found = {}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    for key, inner in items:
        found.update(flatten(inner, f"{prefix}.{key}" if prefix else str(key)))
    return found


def load(path):
    if path.suffix == ".safetensors":
        return load_file(path)
    # Our own files may use pickle protocols that PyTorch's restricted reader does not know.
    return flatten(torch.load(path, map_location="cpu", weights_only=path.parent.name != "checkpoints"))


def main():
    golden = {}
    files = [*FIXTURES.glob("models/**/*.safetensors"), *FIXTURES.glob("models/**/*.bin")]
    files += [*FIXTURES.glob("bad/*/ok*.safetensors"), *FIXTURES.glob("bad/*/ok*.bin"), *FIXTURES.glob("checkpoints/*.bin")]
    files += [*FIXTURES.glob("checkpoints/*.safetensors"), FIXTURES / "bad/safetensors/nan_values.safetensors"]
    for path in sorted(files):
        if path.name == "golden.safetensors":
            continue
        golden[str(path.relative_to(FIXTURES))] = {name: describe(tensor) for name, tensor in load(path).items()}
    lines = ",\n".join(f"{json.dumps(file)}: {json.dumps(tensors, separators=(',', ':'))}" for file, tensors in golden.items())
    (FIXTURES / "checkpoints").mkdir(exist_ok=True)
    (FIXTURES / "checkpoints/golden.json").write_text("{\n" + lines + "\n}\n")


main()
