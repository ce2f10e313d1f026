"""Makes tests/fixtures/field/made: checkpoints as they are in the field, with what Transformers makes of each.

Heads that were replaced and trained apart though the configuration ties them, names as Transformers has them in memory
(`torch.save(model.state_dict())`), and tensors that no model uses. `case.json`: pixels, decoder input ids, Python's
logits, and the keys that Python reports as unexpected.

    python tests/scripts/make_field.py
"""

import json
import shutil
from pathlib import Path

import torch
import transformers as t

OUT = Path(__file__).resolve().parents[1] / "fixtures" / "field" / "made"
TOWER = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, image_size=16,
             patch_size=8, initializer_range=0.3)
SWIN = dict(image_size=16, patch_size=2, embed_dim=8, depths=[2, 1], num_heads=[2, 2], window_size=2,
            initializer_range=0.3)
ENCODERS = {
    "vit": t.ViTConfig(**TOWER),
    "deit": t.DeiTConfig(**TOWER),
    "beit": t.BeitConfig(**TOWER, use_relative_position_bias=True),
    "beit_shared": t.BeitConfig(**TOWER, use_shared_relative_position_bias=True, use_mean_pooling=False),
    "swin": t.SwinConfig(**SWIN),
}
WORDS = dict(vocab_size=24, initializer_range=0.3, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
             intermediate_size=24, max_position_embeddings=24)
SEQ = dict(vocab_size=24, init_std=0.3, d_model=16, decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=24,
           max_position_embeddings=24)
DECODERS = {
    "bert": t.BertConfig(**WORDS),
    "roberta": t.RobertaConfig(**WORDS),
    "gpt2": t.GPT2Config(vocab_size=24, n_embd=16, n_layer=1, n_head=2, n_positions=24, initializer_range=0.3),
    "bart": t.BartConfig(**SEQ, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=24),
    "mbart": t.MBartConfig(**SEQ, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=24),
    "trocr": t.TrOCRConfig(**SEQ),
}


def new_model(encoder, decoder):
    config = t.VisionEncoderDecoderConfig.from_encoder_decoder_configs(ENCODERS[encoder], DECODERS[decoder])
    config.tie_word_embeddings = False  # as checkpoints of old say of the whole; the decoder's own field ties
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 1, 0, 2
    model = t.VisionEncoderDecoderModel(config).eval()
    for parameter in model.parameters():  # biases and scales that are not all zeros and ones
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def write_case(folder):
    """What Python makes of a folder."""
    model, info = t.VisionEncoderDecoderModel.from_pretrained(folder, output_loading_info=True)
    model.eval()
    pixels = torch.rand(1, 3, 16, 16)
    ids = torch.randint(3, 24, (1, 5))
    with torch.no_grad():
        logits = model(pixel_values=pixels, decoder_input_ids=ids).logits
    case = {"shape": list(pixels.shape), "pixels": pixels.flatten().tolist(), "ids": ids.tolist(),
            "logits": logits.flatten().tolist(), "unexpected": sorted(info["unexpected_keys"])}
    (folder / "case.json").write_text(json.dumps(case))


def make(name, model, change=lambda state: state, memory=False):
    folder = OUT / name
    folder.mkdir(parents=True)
    if memory:
        model.config.save_pretrained(folder)
        model.generation_config.save_pretrained(folder)
        torch.save(change(model.state_dict()), folder / "pytorch_model.bin")
    else:
        model.save_pretrained(folder)
        from safetensors.torch import load_file, save_file
        file = folder / "model.safetensors"
        save_file(change(load_file(file)), file, metadata={"format": "pt"})
    write_case(folder)


def apart(*names):
    """Puts tensors of their own under names that are tied."""
    def change(state):
        width = {1: [24], 2: [24, 16]}
        return state | {name: torch.randn(width[1 if name.endswith("bias") else 2]) for name in names}
    return change


def main():
    torch.manual_seed(14)
    shutil.rmtree(OUT, ignore_errors=True)
    bert, roberta = "decoder.cls.predictions.decoder", "decoder.lm_head.decoder"
    make("head_bert", new_model("vit", "bert"), apart(f"{bert}.weight", f"{bert}.bias"))
    make("head_bert_weight", new_model("vit", "bert"), apart(f"{bert}.weight"))
    make("head_bert_bias", new_model("vit", "bert"), apart(f"{bert}.bias"))
    make("head_roberta", new_model("deit", "roberta"), apart(f"{roberta}.weight", f"{roberta}.bias"))
    for name, head in {"bart": "lm_head", "mbart": "lm_head", "trocr": "output_projection"}.items():
        make(f"head_{name}", new_model("vit", name), apart(f"decoder.{head}.weight"))

    words = "decoder.transformer.wte.weight"
    # Both of two tied names, with equal values; and only the one that Python drops.
    make("head_equal", new_model("vit", "gpt2"), lambda state: state | {"decoder.lm_head.weight": state[words].clone()})
    make("head_only", new_model("vit", "gpt2"),
         lambda state: {"decoder.lm_head.weight" if key == words else key: value for key, value in state.items()})

    for encoder in ["vit", "deit", "beit", "beit_shared", "swin"]:
        make(f"memory_{encoder}", new_model(encoder, "bert"), memory=True)

    extra = {
        "decoder.transformer.h.0.attn.bias": torch.ones(1, 1, 24, 24),
        "decoder.transformer.h.0.attn.masked_bias": torch.tensor(-1e4),
        "decoder.transformer.h.0.crossattention.bias": torch.ones(1, 1, 24, 24),
        "encoder.classifier.weight": torch.randn(3, 16),
        "value_head.bias": torch.randn(3),
    }
    make("unused_gpt2", new_model("vit", "gpt2"), lambda state: state | extra)
    ids = {"decoder.bert.embeddings.position_ids": torch.arange(24)[None]}
    make("unused_bert", new_model("vit", "bert"), lambda state: state | ids)

    # Sources of a warm start, saved from memory.
    for name, model in {"source_vit": t.ViTForImageClassification(ENCODERS["vit"]),
                        "source_swin": t.SwinModel(ENCODERS["swin"]),
                        "source_beit": t.BeitModel(ENCODERS["beit_shared"])}.items():
        folder = OUT / name
        model.config.save_pretrained(folder)
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        with torch.no_grad():
            pixels = torch.rand(1, 3, 16, 16)
            base = getattr(model, model.base_model_prefix, model).eval()
            states = base(pixels).last_hidden_state
        case = {"shape": list(pixels.shape), "pixels": pixels.flatten().tolist(), "states": states.flatten().tolist()}
        (folder / "case.json").write_text(json.dumps(case))


if __name__ == "__main__":
    main()
