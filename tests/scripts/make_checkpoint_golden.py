"""Writes tests/fixtures/checkpoints/golden.json: what Python reads from every weight file under tests/fixtures that is
well-formed: the number of tensors, and the SHA-256 of their lines, sorted: name, dtype, shape and the SHA-256 of the
contiguous little-endian bytes. Run it from the project's root with torch and safetensors installed."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import load_file

FIXTURES = Path("tests/fixtures")


def describe(tensor):
    flat = tensor.detach().contiguous().reshape(-1)
    data = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    dtype, shape = str(tensor.dtype).removeprefix("torch."), ",".join(map(str, tensor.shape))
    return f"{dtype} [{shape}] {hashlib.sha256(data).hexdigest()}"


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
    files = [path for kind in ("safetensors", "bin") for path in FIXTURES.glob(f"**/*.{kind}")]
    for path in sorted(files):
        if "bad" in path.parts and path.name != "nan_values.safetensors" and not path.name.startswith("ok"):
            continue
        lines = sorted(f"{name} {describe(tensor)}\n" for name, tensor in load(path).items())
        digest = hashlib.sha256("".join(lines).encode()).hexdigest()
        golden[str(path.relative_to(FIXTURES))] = [len(lines), digest]
    lines = ",\n".join(f"{json.dumps(file)}: {json.dumps(read)}" for file, read in golden.items())
    (FIXTURES / "checkpoints").mkdir(exist_ok=True)
    (FIXTURES / "checkpoints/golden.json").write_text("{\n" + lines + "\n}\n")


main()
