"""Makes tests/fixtures/generation.json: combinations of generate()'s options on the models of tests/fixtures/models.

    python tests/scripts/make_generation.py

`searches` are greedy and beam searches: ids and scores. Those are kept that stay the same under noise of 1e-3 on the
scores. `distributions` are rows of scores before and after the rules, sampling's among them, of a model with
40 tokens: null is -inf.
"""

import json
import math
import pathlib
import random

import torch
import transformers
from safetensors.torch import load_file
from transformers import BertConfig, LogitsProcessor, ViTConfig, VisionEncoderDecoderConfig, VisionEncoderDecoderModel

transformers.logging.set_verbosity_error()
FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures"
MODELS = ["vit_bert", "deit_trocr_small", "donut_swin_mbart", "vit_roberta", "vit_gpt2_captioning", "swin_bert", "vit_bart"]


def ids(rng: random.Random, vocabulary: int, count: int) -> list[int]:
    return [rng.randrange(vocabulary) for _ in range(count)]


def draw(rng: random.Random, vocabulary: int, rows: int, start: int, likely: list[int]) -> dict:
    """Options that do not contradict one another. `likely` are tokens that the model writes by itself."""
    some = lambda count: [rng.choice(likely) if rng.random() < 0.7 else rng.randrange(vocabulary) for _ in range(count)]
    beams = rng.choice([1, 1, 2, 3, 4, 5, 6])
    k = {"num_beams": beams, "max_new_tokens": rng.randint(2, 12)}
    if rng.random() < 0.3:
        k["max_length"] = k.pop("max_new_tokens") + 4
    ends = [some(1)[0], some(2), some(3), None]
    options = {
        "num_return_sequences": lambda: rng.randint(1, beams),
        "length_penalty": lambda: rng.choice([0.0, 2.0, 0.5, -1.0, -0.3]),
        "early_stopping": lambda: rng.choice([True, "never"]),
        "repetition_penalty": lambda: rng.choice([0.7, 1.3, 2.5]),
        "no_repeat_ngram_size": lambda: rng.choice([1, 2, 3]),
        "bad_words_ids": lambda: [some(rng.choice([1, 2, 3])) for _ in range(rng.randint(1, 6))],
        "sequence_bias": lambda: [[some(rng.choice([1, 2, 3])), rng.choice([-4.0, 1.5, 6.0])] for _ in range(rng.randint(1, 6))],
        "suppress_tokens": lambda: some(3),
        "begin_suppress_tokens": lambda: some(4),
        "forced_bos_token_id": lambda: rng.randrange(vocabulary),
        "forced_eos_token_id": lambda: rng.randrange(vocabulary),
        "eos_token_id": lambda: rng.choice(ends),
        "pad_token_id": lambda: rng.choice([0, rng.randrange(vocabulary)]),
        "decoder_start_token_id": lambda: rng.randrange(vocabulary),
        "exponential_decay_length_penalty": lambda: [rng.randint(0, 3), rng.choice([1.2, 1.6, 0.8])],
        "min_new_tokens": lambda: rng.randint(1, 2),
        "renormalize_logits": lambda: True,
        "remove_invalid_values": lambda: True,
    }
    only_beams = {"num_return_sequences", "length_penalty", "early_stopping"}
    for option in rng.sample(list(options), rng.randint(3, 7)):
        if beams > 1 or option not in only_beams:
            k[option] = options[option]()
    if rng.random() < 0.25:
        prompt = [ids(rng, vocabulary, 2) for _ in range(rows)]
        for row in prompt[: rng.choice([0, rows])]:
            row[0] = k.get("decoder_start_token_id", start)
        k["decoder_input_ids"] = prompt
    return k


def draw_sampling(rng: random.Random) -> dict:
    options = {
        "temperature": [0.6, 1.4],
        "top_k": [1, 5, 20, None],
        "top_p": [0.3, 0.8, 0.95],
        "min_p": [0.03, 0.3],
        "typical_p": [0.3, 0.9],
        "epsilon_cutoff": [0.01, 0.2],
        "eta_cutoff": [0.01, 0.2],
        "top_h": [0.3, 0.8],
    }
    return {name: rng.choice(options[name]) for name in rng.sample(list(options), rng.randint(1, 3))} | {"do_sample": True}


class Noise(LogitsProcessor):
    def __call__(self, input_ids, scores):
        return torch.where(scores.isfinite(), scores + (torch.rand_like(scores) - 0.5) * 2e-3, scores)


class Recorder:
    def __init__(self, inner):
        self.inner, self.steps = inner, []

    def __call__(self, input_ids, scores):
        given = scores.clone()
        after = self.inner(input_ids, scores)
        self.steps.append((input_ids.clone(), given, after.clone()))
        return after


def generate(model, pixels, kwargs: dict, noisy=False):
    """The output, and the recorded steps."""
    k = dict(kwargs)
    if "decoder_input_ids" in k:
        k["decoder_input_ids"] = torch.tensor(k["decoder_input_ids"])
    prepare, recorders = type(model)._get_logits_processor, []

    def recorded(*a, **kw):
        recorders.append(Recorder(prepare(model, *a, **kw)))
        return recorders[-1]

    model._get_logits_processor = recorded
    with torch.no_grad():
        more = {"logits_processor": [Noise()]} if noisy else {}
        output = model.generate(pixels, **k, **more, return_dict_in_generate=True, output_scores=True)
    del model._get_logits_processor
    return output, recorders[0].steps


def tiny():
    """A model of 40 tokens whose distributions are neither flat nor sharp."""
    torch.manual_seed(3)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    decoder = BertConfig(vocab_size=40, is_decoder=True, add_cross_attention=True, **size)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(ViTConfig(image_size=16, patch_size=8, **size), decoder)
    model = VisionEncoderDecoderModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.5)
    model.generation_config.decoder_start_token_id = 1
    model.generation_config.eos_token_id = 2
    model.generation_config.pad_token_id = 0
    return model


def plain(row: torch.Tensor) -> list:
    return [None if x == -math.inf else float(f"{x:.6g}") for x in row.tolist()]


def main() -> None:
    torch.set_num_threads(1)
    rng = random.Random(11)
    searches, distributions = [], []
    for name in MODELS:
        folder = FIXTURES / "models" / name
        model = VisionEncoderDecoderModel.from_pretrained(folder, attn_implementation="eager").float().eval()
        pixels = load_file(folder / "golden.safetensors")["pixel_values"]
        vocabulary = model.config.decoder.vocab_size
        golden = json.loads((folder / "golden.json").read_text())
        likely = sorted({i for case in golden["generate"] for row in case.get("sequences", []) for i in row})
        start = model.generation_config.decoder_start_token_id
        start = model.generation_config.bos_token_id if start is None else start
        kept = 0
        while kept < 30:
            rows = rng.choice([[0], [1], [0, 1], [1, 0]])
            kwargs = draw(rng, vocabulary, len(rows), start, likely)
            try:
                output, _ = generate(model, pixels[rows], kwargs)
                noisy = [generate(model, pixels[rows], kwargs, noisy=True)[0].sequences for _ in range(4)]
            except (ValueError, RuntimeError):
                continue
            if any(not torch.equal(output.sequences, other) for other in noisy):
                continue
            case = {"model": name, "rows": rows, "kwargs": kwargs, "sequences": output.sequences.tolist()}
            if kwargs["num_beams"] > 1:
                scores = output.sequences_scores.tolist()
                if not all(abs(score) < 1e6 for score in scores):
                    continue
                case["sequences_scores"] = [round(score, 6) for score in scores]
            searches.append(case)
            kept += 1
    model, vocabulary = tiny(), 40
    pixels = torch.randn(1, 3, 16, 16)
    while len(distributions) < 100:
        kwargs = draw(rng, vocabulary, 1, 1, list(range(vocabulary))) | draw_sampling(rng)
        kwargs.pop("remove_invalid_values", None)  # makes ties of what is forbidden
        try:
            torch.manual_seed(len(distributions))
            _, steps = generate(model, pixels, kwargs)
        except (ValueError, RuntimeError):
            continue
        input_ids, given, after = rng.choice(steps)
        distributions.append(
            {"kwargs": kwargs, "tokens": input_ids[0].tolist(), "given": plain(given[0]), "after": plain(after[0])}
        )
    lines = lambda cases: ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    text = f'{{"searches":[\n{lines(searches)}\n],"distributions":[\n{lines(distributions)}\n]}}\n'
    (FIXTURES / "generation.json").write_text(text)


if __name__ == "__main__":
    main()
