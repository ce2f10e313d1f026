"""Checks that Python's Transformers reads the models that Limner writes, and computes with them what Limner computes."""

import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file
from transformers import VisionEncoderDecoderModel

ROOT = pathlib.Path(__file__).parents[2]
TOLERANCE = 1e-5


def error(actual, expected):
    """The largest difference, relative to the largest expected value."""
    return float((actual - expected).abs().max() / expected.abs().max())


def check(folder, values):
    model, info = VisionEncoderDecoderModel.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    model.eval()
    problems = [f"{kind}: {sorted(keys)}" for kind, keys in info.items() if keys]
    with torch.no_grad():
        output = model(pixel_values=values["pixel_values"], decoder_input_ids=values["decoder_input_ids"])
        loss = model(pixel_values=values["pixel_values"], labels=values["labels"]).loss
    found = {
        "encoder_last_hidden_state": output.encoder_last_hidden_state,
        "logits": output.logits,
        "loss": loss.reshape(1),
    }
    errors = {name: error(value, values[name]) for name, value in found.items()}
    problems += [f"{name} is off by {size:.1e}" for name, size in errors.items() if not size <= TOLERANCE]
    # What Python writes of the model has the same names.
    with tempfile.TemporaryDirectory() as again:
        model.save_pretrained(again)
        written = {name for file in pathlib.Path(again).glob("*.safetensors") for name in load_file(file)}
    ours = {name for file in pathlib.Path(folder).glob("*.safetensors") for name in load_file(file)}
    if written != ours:
        problems.append(f"Python writes other names: {sorted(written ^ ours)}")
    return errors["logits"], problems


def refuses(folder):
    """Whether Transformers refuses a model, instead of taking codes for weights."""
    try:
        VisionEncoderDecoderModel.from_pretrained(folder)
    except Exception as reason:
        print(f"{pathlib.Path(folder).name}: refused, {type(reason).__name__}")
        return True
    print(f"{pathlib.Path(folder).name}: read as if it were not quantised")
    return False


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        script = str(ROOT / "tests/scripts/write_models.ts")
        subprocess.run(["deno", "run", "-A", script, folder], check=True, cwd=ROOT, stdin=subprocess.DEVNULL)
        files = sorted(pathlib.Path(folder).glob("*.safetensors"))
        for file in files:
            try:
                size, problems = check(str(file.with_suffix("")), load_file(file))
            except Exception as reason:  # one model's failure must not hide the others'
                size, problems = float("nan"), [f"{type(reason).__name__}: {reason}"]
            print(f"{file.stem}: logits off by {size:.1e}", *problems, sep="\n  ")
            failures += bool(problems)
        failures += not refuses(f"{folder}/quantized")
    print(f"{len(files)} models, {failures} not read as Limner wrote them")
    return 1 if failures or not files else 0


if __name__ == "__main__":
    sys.exit(main())
