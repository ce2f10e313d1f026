"""Makes tests/fixtures/confidences.json: how sure models of tests/fixtures/models are of what they write, by Transformers'
`compute_transition_scores`, exponentiated: of greedy searches, of beams, and of tokens that are drawn.

    python tests/scripts/make_confidences.py

Nothing draws as Limner does: draw_tokens.ts draws, and Transformers is given the tokens where it would draw its own.
"""

import json
import pathlib
import random
import subprocess

import torch
from make_generation import FIXTURES, MODELS, draw, draw_sampling, generate
from safetensors.torch import load_file
from transformers import VisionEncoderDecoderModel

TEXTS = {"greedy": 34, "sampled": 34, "beams": 34}
# Options for which rows of scores are read from the device, which else chooses tokens by itself.
READING = {
    "sequence_bias", "exponential_decay_length_penalty", "renormalize_logits", "remove_invalid_values", "top_p", "min_p",
    "typical_p", "epsilon_cutoff", "eta_cutoff", "top_h",
}  # fmt: skip


class Case:
    """What is generated: a model with its pictures, and options of a kind."""

    def __init__(self, rng: random.Random, kind: str, models: dict):
        self.name = rng.choice(MODELS)
        self.model, self.pixels, likely, start = models[self.name]
        self.rows = rng.choice([[0], [1], [0, 1]])
        self.kwargs = {}
        while (self.kwargs.get("num_beams", 0) > 1) != (kind == "beams") or not self.kwargs:
            self.kwargs = draw(rng, self.model.config.decoder.vocab_size, len(self.rows), start, likely)
        if kind == "sampled":
            self.kwargs |= draw_sampling(rng) | {"num_return_sequences": rng.randint(1, 2)}
        if rng.random() < 0.5:
            reading = READING | ({"no_repeat_ngram_size"} if kind == "sampled" else set())
            self.kwargs = {option: value for option, value in self.kwargs.items() if option not in reading}
            words = [word for word in self.kwargs.pop("bad_words_ids", []) if len(word) == 1]
            self.kwargs |= {"bad_words_ids": words} if words else {}

    def run(self, noisy=False):
        return generate(self.model, self.pixels[self.rows], self.kwargs, noisy)[0]

    def confidences(self, output) -> list:
        beams = output.get("beam_indices")
        with torch.no_grad():
            scores = self.model.compute_transition_scores(
                output.sequences, output.scores, beams, normalize_logits=beams is None
            )
        ends = self.kwargs.get("eos_token_id", self.model.generation_config.eos_token_id)
        ends = ends if isinstance(ends, list) else [ends]
        new = output.sequences[:, -len(output.scores):].tolist()
        lengths = [next((i + 1 for i, token in enumerate(row) if token in ends), len(row)) for row in new]
        if beams is not None:
            lengths = (beams >= 0).sum(-1).tolist()
        return [[round(p, 7) for p in row[:n].exp().tolist()] for row, n in zip(scores, lengths)]

    def entry(self, output, **more) -> dict:
        what = {"model": self.name, "rows": self.rows, "kwargs": self.kwargs, **more}
        return what | {"sequences": output.sequences.tolist(), "confidences": self.confidences(output)}


def drawn_by_limner(cases: list) -> list:
    """The sequences of cases, and nothing for those that fail."""
    script = pathlib.Path(__file__).parent / "draw_tokens.ts"
    given = json.dumps([{"model": c.name, "rows": c.rows, "kwargs": c.kwargs, "seed": n} for n, c in enumerate(cases)])
    command = ["deno", "run", "-A", str(script)]
    return json.loads(subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout)


def forced(case: Case, sequences: list):
    """What Transformers gives where it draws given tokens; nothing where it refuses the options or ends them elsewhere."""
    rows, draw_one = torch.tensor(sequences), torch.multinomial
    try:
        own = case.run()
        columns = iter(rows[:, own.sequences.shape[1] - len(own.scores):].split(1, dim=1))
        torch.multinomial = lambda probabilities, num_samples: next(columns)
        output = case.run()
    except (ValueError, RuntimeError, StopIteration):
        return None
    finally:
        torch.multinomial = draw_one
    return output if torch.equal(output.sequences, rows) else None


def main() -> None:
    torch.set_num_threads(1)
    rng = random.Random(23)
    models = {}
    for name in MODELS:
        folder = FIXTURES / "models" / name
        model = VisionEncoderDecoderModel.from_pretrained(folder, attn_implementation="eager").float().eval()
        golden = json.loads((folder / "golden.json").read_text())
        likely = sorted({i for case in golden["generate"] for row in case.get("sequences", []) for i in row})
        settings = model.generation_config
        start = settings.decoder_start_token_id if settings.decoder_start_token_id is not None else settings.bos_token_id
        models[name] = model, load_file(folder / "golden.safetensors")["pixel_values"], likely, start
    entries = {kind: [] for kind in TEXTS}
    full = lambda kind: sum(len(entry["sequences"]) for entry in entries[kind]) >= TEXTS[kind]
    for kind in ["greedy", "beams"]:
        while not full(kind):
            case = Case(rng, kind, models)
            try:
                output = case.run()
                noisy = [case.run(noisy=True).sequences for _ in range(4)]
            except (ValueError, RuntimeError):
                continue
            if all(torch.equal(output.sequences, other) for other in noisy) and len(output.scores) > 2:
                entries[kind].append(case.entry(output))
    cases = [Case(rng, "sampled", models) for _ in range(60)]
    for seed, (case, sequences) in enumerate(zip(cases, drawn_by_limner(cases))):
        if not full("sampled") and sequences and (output := forced(case, sequences)):
            entries["sampled"].append(case.entry(output, seed=seed))
    assert full("sampled")
    lines = lambda of: ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in of)
    text = ",\n".join(f'"{kind}":[\n{lines(of)}\n]' for kind, of in entries.items())
    (FIXTURES / "confidences.json").write_text(f"{{{text}}}\n")


if __name__ == "__main__":
    main()
