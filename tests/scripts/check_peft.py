"""Checks that Python's peft loads the adapters that Limner writes, and computes with them what Limner computes."""

import pathlib
import subprocess
import sys
import tempfile
import warnings

import peft
import torch
from safetensors.torch import load_file
from transformers import VisionEncoderDecoderModel

ROOT = pathlib.Path(__file__).parents[2]
TOLERANCE = 1e-4


def check(folder):
    values = load_file(folder / "values.safetensors")
    inputs = {name: values[name] for name in ("pixel_values", "decoder_input_ids")}
    model = VisionEncoderDecoderModel.from_pretrained(folder / "model", dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        plain = model.eval()(**inputs).logits
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        adapted = peft.PeftModel.from_pretrained(model, folder / "adapter").eval()
    problems = [str(warning.message) for warning in caught if "adapter keys" in str(warning.message)]
    with torch.no_grad():
        logits = adapted(**inputs).logits
    largest = values["logits"].abs().max()
    error = float((logits - values["logits"]).abs().max() / largest)
    if not error <= TOLERANCE:
        problems.append(f"logits are off by {error:.1e}")
    if not float((plain - values["logits"]).abs().max() / largest) > 0.01:
        problems.append("the adapter changes nothing")
    # What Python has of the adapter has the same names.
    known = set(peft.get_peft_model_state_dict(adapted))
    written = set(load_file(folder / "adapter" / "adapter_model.safetensors"))
    if known != written:
        problems.append(f"Python has other names: {sorted(known ^ written)}")
    return error, problems


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        script = str(ROOT / "tests/scripts/write_adapters.ts")
        subprocess.run(["deno", "run", "-A", script, folder], check=True, cwd=ROOT, stdin=subprocess.DEVNULL)
        folders = sorted(pathlib.Path(folder).iterdir())
        for one in folders:
            try:
                size, problems = check(one)
            except Exception as reason:  # one adapter's failure must not hide the others'
                size, problems = float("nan"), [f"{type(reason).__name__}: {reason}"]
            print(f"{one.name}: logits off by {size:.1e}", *problems, sep="\n  ")
            failures += bool(problems)
    print(f"{len(folders)} adapters, {failures} not read as Limner wrote them")
    return 1 if failures or not folders else 0


if __name__ == "__main__":
    sys.exit(main())
