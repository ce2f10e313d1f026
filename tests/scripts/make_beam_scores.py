"""Makes tests/fixtures/beam_scores.json: the scores of each step of a beam search, also where pictures have ended.

    python tests/scripts/make_beam_scores.py

Of each step and row it has the best token and its score: of all rows, since the beams of a picture that has all its
texts run on until every picture has. Those are kept whose best tokens lead by 1e-3, and whose pictures end apart.
"""

import json
import pathlib
import random

import torch
import transformers
from safetensors.torch import load_file
from transformers import VisionEncoderDecoderModel

transformers.logging.set_verbosity_error()
FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures"
MODELS = ["vit_gpt2_captioning", "vit_roberta", "vit_bart"]


def main() -> None:
    torch.set_num_threads(1)
    rng, cases = random.Random(5), []
    for name in MODELS:
        folder = FIXTURES / "models" / name
        model = VisionEncoderDecoderModel.from_pretrained(folder, attn_implementation="eager").float().eval()
        pixels = load_file(folder / "golden.safetensors")["pixel_values"]
        free = model.generate(pixels, max_new_tokens=8, eos_token_id=None, forced_eos_token_id=None)[:, 1:]
        likely, kept = sorted(set(free.flatten().tolist())), 0
        while kept < 2:
            kwargs = {
                "num_beams": rng.choice([2, 3]),
                "max_new_tokens": 12,
                "eos_token_id": rng.sample(likely, min(2, len(likely))),
                "pad_token_id": 1,
                "early_stopping": rng.choice([True, False]),
                "forced_eos_token_id": None,
                "repetition_penalty": 1.2,
            }
            with torch.no_grad():
                output = model.generate(pixels, **kwargs, return_dict_in_generate=True, output_scores=True)
            best = [torch.topk(step, 2) for step in output.scores]
            # A picture has ended where a search of it alone takes fewer steps.
            alone = [
                len(model.generate(pixels[[i]], **kwargs, return_dict_in_generate=True, output_scores=True).scores)
                for i in range(2)
            ]
            lead = min(float((values[:, 0] - values[:, 1]).min()) for values, _ in best)
            if lead < 1e-3 or min(alone) > len(best) - 3 or len(best) > 10:
                continue
            cases.append({
                "model": name,
                "kwargs": kwargs,
                "sequences": output.sequences.tolist(),
                "best": [indices[:, 0].tolist() for _, indices in best],
                "scores": [[round(x, 5) for x in values[:, 0].tolist()] for values, _ in best],
            })
            kept += 1
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (FIXTURES / "beam_scores.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
