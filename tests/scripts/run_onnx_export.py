"""Runs what examples/export_onnx.ts writes in Python's onnxruntime, and holds the logits against PyTorch's Transformers."""
import pathlib
import re
import subprocess

import numpy as np
import onnxruntime
import torch
from transformers import VisionEncoderDecoderModel
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()


def size_of(expression: str, sizes: dict[str, int]) -> int:
    """The value of an expression such as "past+T-1" or "batch*beams"."""
    total = 0
    for sign, product in re.findall(r"([+-]?)([\w*]+)", expression):
        value = 1
        for factor in product.split("*"):
            value *= int(factor) if factor.isdigit() else sizes[factor]
        total += -value if sign == "-" else value
    return total


class Exported:
    """The three files of a model, and the states of one text."""

    def __init__(self, folder: pathlib.Path):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.encoder, self.cross, self.decoder = (
            onnxruntime.InferenceSession(folder / f"{name}.onnx", options, providers=["CPUExecutionProvider"])
            for name in ("encoder", "cross_keys_values", "decoder")
        )

    def run(self, session, values: dict[str, np.ndarray], sizes: dict[str, int]) -> dict[str, np.ndarray]:
        inputs = {}
        for entry in session.get_inputs():
            kind, name = entry.name.split(":", 1)
            integers = {"size": np.int64, "length": np.int32}.get(kind)
            inputs[entry.name] = np.array([size_of(name, sizes)], integers) if integers else values[name]
        names = [entry.name for entry in session.get_outputs()]
        return dict(zip(names, session.run(names, inputs)))

    def logits(self, pixels: np.ndarray, ids: np.ndarray, parts: list[int]) -> np.ndarray:
        """Logits of each position, with the text given in parts of so many tokens."""
        batch, capacity = len(pixels), 64
        sizes = {"batch": batch, "beams": 1, "capacity": capacity}
        states = self.run(self.encoder, {"pixelValues": pixels}, sizes)["output:encoderStates"]
        sizes["sources"] = states.shape[1]
        crossed = self.run(self.cross, {"encoderStates": states}, sizes)
        values = {name.split(":", 1)[1]: value for name, value in crossed.items()}
        values["tokens"] = np.zeros((batch, capacity), np.int64)
        values["tokens"][:, : ids.shape[1]] = ids
        for entry in self.decoder.get_inputs():
            kind, name = entry.name.split(":", 1)
            if kind == "state" and name != "tokens":
                shape = [size_of(axis, sizes) if isinstance(axis, str) else axis for axis in entry.shape]
                values[name] = np.zeros(shape, np.float32)
        found, past = [], 0
        for T in parts:
            results = self.run(self.decoder, values, {**sizes, "past": past, "T": T, "L": T})
            found.append(results["output:logits"])
            values.update({name[len("next:") :]: value for name, value in results.items() if name.startswith("next:")})
            past += T
        return np.concatenate(found, axis=1)


def check(root: pathlib.Path, model: pathlib.Path, folder: pathlib.Path, flags: list[str]) -> float:
    """Export a model, and return the largest distance of its logits from PyTorch's, of their largest."""
    command = ["deno", "run", "-A", "--quiet", "--no-check", "examples/export_onnx.ts", str(model), str(folder), *flags]
    subprocess.run(command, check=True, cwd=root, stdout=subprocess.DEVNULL)
    peer = VisionEncoderDecoderModel.from_pretrained(model, dtype=torch.float32).eval()
    size = peer.config.encoder.image_size
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    random = np.random.default_rng(1)
    pixels = random.uniform(-1, 1, (2, peer.config.encoder.num_channels, height, width)).astype(np.float32)
    ids = random.integers(3, peer.config.decoder.vocab_size, (2, 9))
    with torch.inference_mode():
        expected = peer(pixel_values=torch.tensor(pixels), decoder_input_ids=torch.tensor(ids)).logits.numpy()
    found = Exported(folder).logits(pixels, ids, [4, 1, 1, 3])
    assert found.shape == expected.shape, f"{found.shape}, not {expected.shape}"
    return float(np.abs(found - expected).max() / np.abs(expected).max())
