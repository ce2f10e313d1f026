"""Makes tests/fixtures/options: every encoder with every decoder, of random sizes and options, as Transformers computes.

Parameters and pictures are not stored: both sides make them of their names (`value`, and tests/models/options_test.ts).

    python tests/scripts/make_option_models.py [FAMILY...]    # of these only, the others' kept
"""

import copy
import json
import math
import pathlib
import random
import re
import sys
import tempfile

import numpy
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, GenerationConfig, VisionEncoderDecoderConfig, VisionEncoderDecoderModel

FOLDER = pathlib.Path(__file__).parents[1] / "fixtures" / "options"
TOKENS = 5
NEW_TOKENS = 6
ACTIVATIONS = """gelu gelu_python gelu_new gelu_fast gelu_pytorch_tanh gelu_python_tanh gelu_accurate quick_gelu relu silu
swish tanh sigmoid gelu_10 linear relu2 relu6 leaky_relu hardswish mish laplace""".split()


def uniform(name, count):
    """Numbers in [-1, 1) of a name: FNV-1a of it, and MurmurHash3's finaliser of each index."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = numpy.uint32(seed) + numpy.arange(count, dtype=numpy.uint32) * numpy.uint32(0x9E3779B9)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = (x ^ (x >> numpy.uint32(shift))) * numpy.uint32(factor)
    x ^= x >> numpy.uint32(16)
    return x.astype(numpy.float64) / 2**31 - 1


def value(name, shape):
    """A parameter's values, by its name and shape."""
    x = uniform(name, math.prod(shape))
    if len(shape) == 1:
        x = 1 + 0.3 * x if re.search(r"(norm\d?|ln_\w+)\.weight$|lambda_?\d", name, re.IGNORECASE) else 0.3 * x
    elif re.search(r"embed|wte|wpe|token|bias_table", name):
        x = 0.8 * x
    else:
        x = 2.2 * x / math.sqrt(math.prod(shape[1:]))
    return torch.from_numpy(x.astype(numpy.float32)).reshape(shape)


def layers(r):
    heads = r.choice([1, 2, 3])
    return heads, heads * r.choice([5, 7, 8, 12])


def vit(r, **more):
    heads, width = layers(r)
    patch = r.choice([4, 5, 7])
    size = r.choice([patch * 3, patch * 2 + 1, [patch * 2, patch * 3], [patch, patch * 4]])
    return dict(
        hidden_size=width, num_hidden_layers=r.choice([1, 2]), num_attention_heads=heads, intermediate_size=r.choice([9, 22]),
        hidden_act=r.choice(ACTIVATIONS), layer_norm_eps=r.choice([1e-12, 1e-5, 1e-3]), image_size=size, patch_size=patch,
        num_channels=r.choice([1, 3, 3, 4]), **more,
    )


def vit_or_deit(r):
    config = vit(r, qkv_bias=r.random() < 0.6)
    if r.random() < 0.3:
        config["patch_size"] = [config["patch_size"], 3]
    if r.random() < 0.3:
        config["pooler_output_size"] = 11
    return config


def beit(r):
    flags = ["use_relative_position_bias", "use_shared_relative_position_bias", "use_absolute_position_embeddings"]
    flags += ["use_mask_token", "use_mean_pooling"]
    config = vit(r, layer_scale_init_value=r.choice([0.1, 0.0]), **{flag: r.random() < 0.5 for flag in flags})
    if config["use_absolute_position_embeddings"]:  # the reference takes these for square grids only
        patch = config["patch_size"]
        config["image_size"] = r.choice([patch * 2, [patch, patch * 4], [patch * 4, patch]])
    return config


def swin(r, absolute=True):
    stages = r.choice([1, 2, 2])
    heads = [r.choice([1, 2, 3]) for _ in range(stages)]
    window, patch = r.choice([2, 3]), r.choice([2, 3, 4])
    side = lambda: (window * 2 ** (stages - 1) + r.choice([0, 1, 2, window])) * patch
    absolute = absolute and r.random() < 0.5
    trimmed = 0 if absolute else r.choice([0, 1])
    return dict(
        image_size=[side() - trimmed, side()], patch_size=patch, num_channels=r.choice([1, 3, 3, 4]),
        embed_dim=math.lcm(*heads) * r.choice([2, 4]), depths=[r.choice([1, 2]) for _ in range(stages)], num_heads=heads,
        window_size=window, mlp_ratio=r.choice([1.0, 1.5, 2.7]), qkv_bias=r.random() < 0.6,
        hidden_act=r.choice(ACTIVATIONS), use_absolute_embeddings=absolute, layer_norm_eps=r.choice([1e-5, 1e-3]),
    )


def square_vit(r, **more):
    """One whose positions the reference stretches, or whose size has one number."""
    patch = r.choice([4, 5, 7])
    return vit(r, **more) | dict(patch_size=patch, image_size=r.choice([patch * 2, patch * 3 + 1]))


def data2vec(r):
    config = beit(r)
    return dict(config, **({"image_size": config["patch_size"] * 2} if config["use_absolute_position_embeddings"] else {}))


def dinov2(r):
    flags = {flag: r.random() < 0.5 for flag in ["qkv_bias", "use_swiglu_ffn", "use_mask_token"]}
    config = square_vit(r, mlp_ratio=r.choice([1, 3]), layerscale_value=0.3, **flags)
    del config["intermediate_size"]
    return config


def siglip(r):
    return square_vit(r, vision_use_head=r.random() < 0.5)


def swinv2(r):
    config = swin(r, absolute=False)
    sizes = [r.choice([0, 3, 8]) for _ in config["depths"]]
    return dict(config, window_size=r.choice([2, 3, 5]), pretrained_window_sizes=sizes)


def gpt2(r):
    heads, width = layers(r)
    flags = ["scale_attn_weights", "scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "tie_word_embeddings"]
    return dict(
        n_embd=width, n_layer=r.choice([1, 2]), n_head=heads, n_inner=r.choice([None, 17]), n_positions=12,
        activation_function=r.choice(ACTIVATIONS), layer_norm_epsilon=r.choice([1e-5, 1e-3]), bos_token_id=1,
        **{flag: r.random() < 0.5 for flag in flags},
    )


def bert(r):
    heads, width = layers(r)
    return dict(
        hidden_size=width, num_hidden_layers=r.choice([1, 2]), num_attention_heads=heads, intermediate_size=17,
        hidden_act=r.choice(ACTIVATIONS), max_position_embeddings=18, type_vocab_size=r.choice([1, 3]),
        layer_norm_eps=r.choice([1e-12, 1e-3]), pad_token_id=r.choice([0, 1, 5]), tie_word_embeddings=r.random() < 0.5,
    )


def electra(r):
    config = bert(r)
    return dict(config, embedding_size=r.choice([config["hidden_size"], 9, 20]))


def bert_generation(r):
    return {key: field for key, field in bert(r).items() if key != "type_vocab_size"}


def distilbert(r):
    heads, width = layers(r)
    return dict(
        dim=width, n_layers=r.choice([1, 2]), n_heads=heads, hidden_dim=17, activation=r.choice(ACTIVATIONS),
        max_position_embeddings=12, tie_word_embeddings=r.random() < 0.5,
    )


def bart(r):
    heads, width = layers(r)
    depth = r.choice([1, 2])
    return dict(
        d_model=width, decoder_layers=depth, decoder_attention_heads=heads, decoder_ffn_dim=17, max_position_embeddings=12,
        activation_function=r.choice(ACTIVATIONS), scale_embedding=r.random() < 0.5, pad_token_id=r.choice([0, 1, 5]),
        encoder_layers=depth, encoder_attention_heads=1, tie_word_embeddings=r.random() < 0.5, decoder_layerdrop=0.5,
    )


def trocr(r):
    config = {key: field for key, field in bart(r).items() if not key.startswith("encoder_")}
    return dict(
        config, use_learned_position_embeddings=r.random() < 0.5, layernorm_embedding=r.random() < 0.5,
    )


ENCODERS = {
    "vit": vit_or_deit, "deit": vit_or_deit, "beit": beit, "swin": swin, "donut-swin": lambda r: swin(r, absolute=False),
    "data2vec-vision": data2vec, "dinov2": dinov2, "clip_vision_model": square_vit, "siglip_vision_model": siglip,
    "swinv2": swinv2,
}
DECODERS = {
    "gpt2": gpt2, "bert": bert, "roberta": bert, "distilbert": distilbert, "bart": bart, "mbart": bart, "trocr": trocr,
    "xlm-roberta": bert, "camembert": bert, "electra": electra, "bert-generation": bert_generation,
    "roberta-prelayernorm": bert,
}

# DistilBERT's names for those of the BERT that stands in for it, the longer first.
DISTILBERT_NAMES = [
    ("attention.self.query", "attention.q_lin"), ("attention.self.key", "attention.k_lin"),
    ("attention.self.value", "attention.v_lin"), ("attention.output.dense", "attention.out_lin"),
    ("attention.output.LayerNorm", "sa_layer_norm"), ("intermediate.dense", "ffn.lin1"), ("output.dense", "ffn.lin2"),
    ("output.LayerNorm", "output_layer_norm"), ("cls.predictions.transform.dense", "vocab_transform"),
    ("cls.predictions.transform.LayerNorm", "vocab_layer_norm"), ("cls.predictions.decoder", "vocab_projector"),
    ("cls.predictions", "vocab_projector"), ("bert.encoder", "distilbert.transformer"), ("bert.", "distilbert."),
]


def stand_in(config):
    """A BERT that computes what a DistilBERT decoder does."""
    names = {
        "dim": "hidden_size", "n_layers": "num_hidden_layers", "n_heads": "num_attention_heads",
        "hidden_dim": "intermediate_size", "activation": "hidden_act",
    }
    return {names.get(key, key): field for key, field in config.items()} | {"type_vocab_size": 1}


def distilbert_name(name):
    if "crossattention" in name:
        return name.replace("bert.encoder", "distilbert.transformer")
    for bert_name, own in DISTILBERT_NAMES:
        name = name.replace(bert_name, own, 1) if own not in name else name
    return name


def build(case):
    """The model of a case, and the names and shapes of its parameters in files."""
    distil = case["decoder"]["model_type"] == "distilbert"
    decoder = dict(stand_in(case["decoder"]), model_type="bert") if distil else case["decoder"]
    sections = [AutoConfig.for_model(**copy.deepcopy(section)) for section in (case["encoder"], decoder)]
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(*sections, **case["overrides"])
    config._attn_implementation = "eager"
    shapes = {}
    with tempfile.TemporaryDirectory() as folder:
        VisionEncoderDecoderModel(config).save_pretrained(folder)
        file = f"{folder}/model.safetensors"
        values = load_file(file)
        for name, tensor in values.items():
            own = distilbert_name(name) if distil and name.startswith("decoder.") else name
            unused = distil and ("token_type" in name or (name.endswith("predictions.bias") and f"{name[:-4]}decoder.weight" in values))
            if not tensor.is_floating_point():
                continue
            if not unused:
                shapes[own] = list(tensor.shape)
            values[name] = torch.zeros_like(tensor) if unused else value(own, tensor.shape)
        save_file(values, file, metadata={"format": "pt"})
        model = VisionEncoderDecoderModel.from_pretrained(folder, attn_implementation="eager").eval()
    positions = getattr(getattr(getattr(model.decoder, "model", None), "decoder", None), "embed_positions", None)
    if hasattr(positions, "weights"):  # from_pretrained leaves this table without data
        rows = config.decoder.max_position_embeddings + positions.padding_idx + 1
        positions.weights = positions.get_embedding(rows, positions.embedding_dim, positions.padding_idx)
    return model, shapes


def compute(model, inputs):
    """What a model computes of the inputs. A fresh copy, since a Swin remembers the pictures that it has seen."""
    run = lambda picture, **more: copy.deepcopy(model)(pixel_values=inputs[picture], **more)
    ids = inputs["ids"]
    with torch.no_grad():
        plain = run("pixels", decoder_input_ids=ids, output_attentions=True)
        results = {
            "states": plain.encoder_last_hidden_state[:1],
            "logits": plain.logits,
            "self_attention": plain.decoder_attentions[0][:1],
            "cross_attention": plain.cross_attentions[-1][:1],
            "masked_logits": run("pixels", decoder_input_ids=ids, decoder_attention_mask=inputs["mask"]).logits[1:],
            "loss": run("pixels", labels=inputs["labels"]).loss.reshape(1),
        }
        try:
            stretched = run("large_pixels", decoder_input_ids=ids, interpolate_pos_encoding=True)
            results["large_logits"] = stretched.logits[:1]
        except (RuntimeError, TypeError):  # the reference stretches square grids only
            pass
    return results


def inputs_of(case, config):
    """Pictures, ids, mask and labels of a case, as tests/models/options_test.ts makes them."""
    pair = lambda field: field if isinstance(field, (list, tuple)) else (field, field)
    (height, width), (down, across) = pair(config.encoder.image_size), pair(config.encoder.patch_size)
    picture = lambda name, *size: torch.from_numpy(
        uniform(name, 2 * config.encoder.num_channels * math.prod(size)).astype(numpy.float32)
    ).reshape(2, config.encoder.num_channels, *size) * 1.5
    vocabulary = config.decoder.vocab_size
    ids = torch.from_numpy(((uniform("ids", 2 * TOKENS) + 1) / 2 * vocabulary).astype(numpy.int64)).reshape(2, TOKENS)
    ids[0, 1] = ids[1, -1] = case["overrides"]["pad_token_id"]
    mask, labels = torch.ones_like(ids), ids.flip(1).clone()
    mask[1, 1] = mask[1, -1] = 0
    labels[0] = -100
    return {
        "pixels": picture("pixels", height, width),
        "large_pixels": picture("large_pixels", height + down, width + 2 * across),
        "ids": ids, "mask": mask, "labels": labels,
    }


def make(encoder, decoder, seed):
    r = random.Random(seed)
    case = {
        "encoder": dict(ENCODERS[encoder](r), model_type=encoder),
        "decoder": dict(DECODERS[decoder](r), model_type=decoder, vocab_size=r.choice([23, 31]), eos_token_id=2),
        "overrides": {"pad_token_id": 0, "decoder_start_token_id": r.choice([2, 6]), "eos_token_id": 2},
    }
    case["overrides"]["pad_token_id"] = case["decoder"].get("pad_token_id", 0)
    model, shapes = build(case)
    if decoder == "trocr" and r.random() < 0.5:
        case["decoder"]["cross_attention_hidden_size"] = model.config.encoder.hidden_size
        model, shapes = build(case)
    inputs = inputs_of(case, model.config)
    results = compute(model, inputs)
    double = copy.deepcopy(model).double()
    for module in double.modules():
        if hasattr(module, "reorder_and_upcast_attn"):
            module.reorder_and_upcast_attn = False
    exact = compute(double, {name: x.double() if x.is_floating_point() else x for name, x in inputs.items()})
    case["rounding"] = max(float((x - exact[name]).abs().max() / exact[name].abs().max()) for name, x in results.items())
    settings = GenerationConfig(max_new_tokens=NEW_TOKENS, do_sample=False, num_beams=1, **case["overrides"])
    model.generation_config = settings  # else BART's own would force its last token
    greedy = model.generate(inputs["pixels"], return_dict_in_generate=True, output_logits=True)
    best = [torch.topk(step, 2).values for step in greedy.logits]
    gap = min(float((two[:, 0] - two[:, 1]).min()) for two in best)
    case["greedy"] = greedy.sequences.tolist()
    case["parameters"] = len(shapes)
    # Texts that hang on rounding, or options that make everything alike, are no test.
    return (case, results) if gap > 1e-3 and case["rounding"] < 5e-5 else make(encoder, decoder, seed + 1000)


def main():
    wanted, cases, tensors = sys.argv[1:], [], {}
    old_tensors = load_file(FOLDER / "golden.safetensors") if wanted else {}
    old_cases = {
        (case["encoder"]["model_type"], case["decoder"]["model_type"]): case
        for case in (json.loads((FOLDER / "cases.json").read_text()) if wanted else [])
    }
    for e, encoder in enumerate(ENCODERS):
        for d, decoder in enumerate(DECODERS):
            if wanted and encoder not in wanted and decoder not in wanted:
                case, prefix = old_cases[encoder, decoder], f"{encoder}_{decoder}."
                results = {name[len(prefix):]: x for name, x in old_tensors.items() if name.startswith(prefix)}
            else:
                case, results = make(encoder, decoder, 7 * e + d)
                print(encoder, decoder, flush=True)
            cases.append(case)
            tensors.update({f"{encoder}_{decoder}.{name}": x.contiguous().clone() for name, x in results.items()})
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")
    save_file(tensors, FOLDER / "golden.safetensors")


if __name__ == "__main__":
    main()
