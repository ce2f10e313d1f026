"""Makes small models of families, with what Transformers computes of them, in tests/fixtures/models, and the families'
default configurations in tests/fixtures/configs/family_defaults.json.

Each folder has the model as save_pretrained writes it; golden.safetensors: pictures and ids, and of these the states,
logits, loss, attentions and texts; golden.json: the parameters' names and shapes in the file, by how much float32 moves
each result, and texts by beams.

    python tests/scripts/make_family_models.py [NAME...]
"""

import copy
import json
import re
import shutil
import sys
from pathlib import Path

import torch
import transformers as t
from safetensors.torch import load_file, save_file

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
NEW_TOKENS = 8
VOCABULARY = 32

TOWER = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, image_size=16, patch_size=8)
WORDS = dict(
    vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
    max_position_embeddings=32,
)
PATCHES = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=4)
WINDOWS = dict(patch_size=2, embed_dim=8, num_heads=[2, 4])
VIT = t.ViTConfig(**TOWER)
BERT = t.BertConfig(**WORDS)
GPT2 = t.GPT2Config(
    vocab_size=VOCABULARY, n_embd=12, n_layer=1, n_head=3, n_positions=32, bos_token_id=1, eos_token_id=2, pad_token_id=0,
)

MODELS = {
    "vit_xlm_roberta": (VIT, t.XLMRobertaConfig(**WORDS, type_vocab_size=1)),
    "vit_xlm_roberta_untied": (VIT, t.XLMRobertaConfig(**WORDS, pad_token_id=3, tie_word_embeddings=False)),
    "vit_camembert": (VIT, t.CamembertConfig(**WORDS)),
    "vit_camembert_narrow": (VIT, t.CamembertConfig(**(WORDS | dict(hidden_size=12, hidden_act="relu")))),
    "vit_electra": (VIT, t.ElectraConfig(**WORDS, embedding_size=12, hidden_act="silu")),
    "vit_electra_untied": (VIT, t.ElectraConfig(**WORDS, embedding_size=16, tie_word_embeddings=False)),
    "vit_bert_generation": (VIT, t.BertGenerationConfig(**WORDS)),
    "vit_bert_generation_untied": (VIT, t.BertGenerationConfig(**WORDS, hidden_act="gelu_new", tie_word_embeddings=False)),
    "vit_roberta_prelayernorm": (VIT, t.RobertaPreLayerNormConfig(**WORDS)),
    "vit_roberta_prelayernorm_untied": (
        VIT, t.RobertaPreLayerNormConfig(**WORDS, pad_token_id=0, hidden_act="relu", tie_word_embeddings=False),
    ),
    "dinov2_bert": (t.Dinov2Config(**PATCHES), BERT),
    "dinov2_gpt2_gated": (
        t.Dinov2Config(**PATCHES, use_swiglu_ffn=True, qkv_bias=False, layerscale_value=0.5, use_mask_token=False), GPT2,
    ),
    # Windows of 4 × 4, shifted, in a grid of 8 × 8; and of 3 × 3 in one that they do not divide, of other windows once.
    "swinv2_bert": (t.Swinv2Config(**WINDOWS, image_size=16, window_size=4, depths=[2, 1]), BERT),
    "swinv2_gpt2_pretrained": (
        t.Swinv2Config(
            **WINDOWS, image_size=[14, 18], window_size=3, depths=[2, 2], pretrained_window_sizes=[6, 3], qkv_bias=False,
            mlp_ratio=1.5,
        ), GPT2,
    ),
    "clip_bert": (t.CLIPVisionConfig(**TOWER), BERT),
    "clip_gpt2_remainder": (t.CLIPVisionConfig(**(TOWER | dict(image_size=17, patch_size=5, hidden_act="gelu"))), GPT2),
    "siglip_bert": (t.SiglipVisionConfig(**TOWER), BERT),
    "siglip_gpt2_headless": (
        t.SiglipVisionConfig(**(TOWER | dict(image_size=17, patch_size=5)), vision_use_head=False), GPT2,
    ),
    "data2vec_vision_bert": (t.Data2VecVisionConfig(**TOWER, use_shared_relative_position_bias=True), BERT),
    "data2vec_vision_gpt2_absolute": (
        t.Data2VecVisionConfig(
            **(TOWER | dict(num_hidden_layers=2)), use_relative_position_bias=True, use_absolute_position_embeddings=True,
            use_mask_token=True, use_mean_pooling=False, layer_scale_init_value=0.0,
        ), GPT2,
    ),
}
# Pictures of another size than the encoder's, where it is not a patch higher and two wider.
OTHER_SIZES = {"swinv2_gpt2_pretrained": (4, 18)}  # lower than a shifted window
DEFAULTS = """xlm-roberta camembert electra bert-generation roberta-prelayernorm dinov2 swinv2 clip_vision_model
siglip_vision_model data2vec-vision""".split()


def build(encoder, decoder, seed):
    """A model with every parameter random, those too that begin as zeros or ones."""
    torch.manual_seed(seed)
    config = t.VisionEncoderDecoderConfig.from_encoder_decoder_configs(copy.deepcopy(encoder), copy.deepcopy(decoder))
    pad = decoder.pad_token_id or 0
    config.tie_word_embeddings = False  # as checkpoints say of the whole; the decoder's own field ties
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 1, pad, 2
    config._attn_implementation = "eager"
    model = t.VisionEncoderDecoderModel(config).eval()
    for parameter in model.parameters():
        parameter.data += (0.1 if parameter.dim() == 1 else 0.35) * torch.randn_like(parameter)
    for name, parameter in model.named_parameters():
        if name.endswith("logit_scale"):
            parameter.data[0] = 5.0  # above its limit
    model.generation_config = t.GenerationConfig(decoder_start_token_id=1, pad_token_id=pad, eos_token_id=2)
    return model


def inputs_of(config, other_size=None):
    """Pictures of the encoder's size, and others if it is new; ids with pads, a mask over them, and labels."""
    pair = lambda field: field if isinstance(field, (list, tuple)) else (field, field)
    (height, width), (down, across) = pair(config.encoder.image_size), pair(config.encoder.patch_size)
    channels = config.encoder.num_channels
    ids = torch.randint(3, VOCABULARY, (2, 6))
    ids[:, 0] = 1
    ids[0, 2] = ids[1, 4] = ids[1, 5] = config.pad_token_id
    mask = torch.ones_like(ids)
    mask[0, 2] = mask[1, 4] = mask[1, 5] = 0
    labels = torch.randint(3, VOCABULARY, (2, 5))
    labels[1, 3:] = -100
    inputs = {
        "pixel_values": torch.randn(2, channels, height, width),
        "decoder_input_ids": ids, "decoder_attention_mask": mask, "labels": labels,
    }
    if config.encoder.model_type != "vit":
        inputs["interp.pixel_values"] = torch.randn(2, channels, *(other_size or (height + down, width + 2 * across)))
    return inputs


@torch.no_grad()
def compute(model, inputs):
    """The results by name."""
    pixels, ids = inputs["pixel_values"], inputs["decoder_input_ids"]
    plain = model(pixel_values=pixels, decoder_input_ids=ids, output_attentions=True, output_hidden_states=True)
    masked = model(pixel_values=pixels, decoder_input_ids=ids, decoder_attention_mask=inputs["decoder_attention_mask"])
    labelled = model(pixel_values=pixels, labels=inputs["labels"])
    results = {
        "encoder_last_hidden_state": plain.encoder_last_hidden_state,
        "logits": plain.logits,
        "cross_attentions.last": plain.cross_attentions[-1],
        **{f"encoder_hidden_states.{n}": x for n, x in enumerate(plain.encoder_hidden_states)},
        **{f"decoder_hidden_states.{n}": x for n, x in enumerate(plain.decoder_hidden_states)},
        "logits_with_decoder_attention_mask": masked.logits,
        "logits_with_labels": labelled.logits,
        "loss": labelled.loss,
    }
    if "interp.pixel_values" in inputs:
        large = inputs["interp.pixel_values"]
        stretched = model(pixel_values=large, decoder_input_ids=ids, interpolate_pos_encoding=True)
        results["interp.encoder_last_hidden_state"] = stretched.encoder_last_hidden_state
        results["interp.logits"] = stretched.logits
    return results


def write_texts(model, pixels):
    """Greedy texts and the smallest lead of a token over the next best; and texts by beams, with their scores."""
    settings = dict(max_new_tokens=NEW_TOKENS, return_dict_in_generate=True)
    greedy = model.generate(pixels, output_logits=True, **settings)
    best = [torch.topk(step, 2).values for step in greedy.logits]
    lead = min(float((two[:, 0] - two[:, 1]).min()) for two in best)
    beams = model.generate(pixels, num_beams=3, output_scores=True, **settings)
    return greedy.sequences, lead, beams.sequences, beams.sequences_scores


def make(name, seed=1):
    encoder, decoder = MODELS[name]
    model = build(encoder, decoder, seed)
    inputs = inputs_of(model.config, OTHER_SIZES.get(name))
    results = compute(model, inputs)
    greedy, lead, beams, scores = write_texts(model, inputs["pixel_values"])
    double = copy.deepcopy(model).double()
    exact_inputs = {key: x.double() if x.is_floating_point() else x for key, x in inputs.items()}
    exact = compute(double, exact_inputs)
    exact_greedy, _, exact_beams, _ = write_texts(double, exact_inputs["pixel_values"])
    # Texts that hang on rounding, or are the same whatever the picture, are no test.
    stable = torch.equal(greedy, exact_greedy) and torch.equal(beams, exact_beams) and lead > 5e-3
    if not stable or torch.equal(greedy[0], greedy[1]) or len(greedy.unique()) < 6:
        return make(name, seed + 1)
    folder = FIXTURES / "models" / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    golden = {
        "case": name,
        "seed": seed,
        "versions": {"torch": torch.__version__, "transformers": t.__version__},
        "parameters": {key: list(x.shape) for key, x in load_file(folder / "model.safetensors").items()},
        "max_abs_diff_float32_vs_float64": {key: float((x - exact[key]).abs().max()) for key, x in results.items()},
        "generate": [{
            "name": "beam3", "rows": [0, 1], "kwargs": {"num_beams": 3, "max_new_tokens": NEW_TOKENS},
            "sequences": beams.tolist(), "sequences_scores": scores.tolist(),
        }],
    }
    text = json.dumps(golden, indent=1)
    (folder / "golden.json").write_text(re.sub(r"\[[^][{}]*\]", lambda found: re.sub(r"\s+", "", found[0]), text) + "\n")
    tensors = {key: x.contiguous().clone() for key, x in {**inputs, **results, "greedy_sequences": greedy}.items()}
    save_file(tensors, folder / "golden.safetensors")
    print(f"{name}: seed {seed}, {sum(file.stat().st_size for file in folder.iterdir())} bytes")


def main():
    for name in sys.argv[1:] or MODELS:
        make(name)
    defaults = {kind: t.AutoConfig.for_model(kind).to_dict() for kind in DEFAULTS}
    lines = ",\n".join(f"{json.dumps(kind)}: {json.dumps(config)}" for kind, config in defaults.items())
    (FIXTURES / "configs" / "family_defaults.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
