"""Makes warm starts of families in tests/fixtures/warmstart: checkpoints of encoders and of language models, and what
VisionEncoderDecoderModel.from_encoder_decoder_pretrained makes of two of them.

Each pair has config.json; golden.json: the parameters' names and shapes, and those that neither checkpoint has;
new_parameters.safetensors: the values that Transformers gave these; golden.safetensors: what the model computes.

    python tests/scripts/make_warm_starts.py
"""

import json
import re
import shutil
from pathlib import Path

import torch
import transformers as t
from safetensors.torch import load_file, save_file

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "warmstart"
VOCABULARY = 32
WORDS = dict(
    vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
    max_position_embeddings=32, initializer_range=0.3,
)

SIGHT = dict(
    image_size=32, patch_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
    initializer_range=0.3,
)
SWIN = dict(image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4)

ENCODERS = {
    "dinov2_for_image_classification": t.Dinov2ForImageClassification(t.Dinov2Config(**SIGHT)),
    "swinv2": t.Swinv2Model(t.Swinv2Config(**SWIN)),
    "swinv2_for_image_classification": t.Swinv2ForImageClassification(t.Swinv2Config(**SWIN)),
    "clip_vision": t.CLIPVisionModel(t.CLIPVisionConfig(**SIGHT)),
    "siglip_vision": t.SiglipVisionModel(t.SiglipVisionConfig(**SIGHT)),
    "data2vec_vision_for_image_classification": t.Data2VecVisionForImageClassification(
        t.Data2VecVisionConfig(**SIGHT)
    ),
}
DECODERS = {
    "xlm_roberta_masked_lm": t.XLMRobertaForMaskedLM(t.XLMRobertaConfig(**WORDS)),
    "camembert_masked_lm": t.CamembertForMaskedLM(t.CamembertConfig(**WORDS)),
    "electra_masked_lm": t.ElectraForMaskedLM(t.ElectraConfig(**WORDS, embedding_size=12)),
    "electra_pretraining": t.ElectraForPreTraining(t.ElectraConfig(**WORDS, embedding_size=16)),
    "bert_generation_encoder": t.BertGenerationEncoder(t.BertGenerationConfig(**WORDS)),
    "roberta_prelayernorm_masked_lm": t.RobertaPreLayerNormForMaskedLM(t.RobertaPreLayerNormConfig(**WORDS)),
}
PAIRS = [("vit", decoder) for decoder in DECODERS] + [(encoder, "bert_lm_head") for encoder in ENCODERS]


def write_source(kind, name, model):
    torch.manual_seed(sum(name.encode()))
    for parameter in model.parameters():  # biases and scales that are not all zeros and ones
        parameter.data += 0.1 * torch.randn_like(parameter)
    folder = FOLDER / "checkpoints" / kind / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)


def missing(encoder, decoder):
    """The parameters that a pair's checkpoints do not have."""
    config = t.AutoConfig.from_pretrained(decoder, is_decoder=True, add_cross_attention=True)
    _, seen = t.AutoModel.from_pretrained(encoder, output_loading_info=True)
    _, written = t.AutoModelForCausalLM.from_pretrained(decoder, config=config, output_loading_info=True)
    return [f"encoder.{key}" for key in seen["missing_keys"]] + [f"decoder.{key}" for key in written["missing_keys"]]


@torch.no_grad()
def make(encoder, decoder):
    folder = FOLDER / f"{encoder}__{decoder}"
    sources = [f"checkpoints/encoders/{encoder}", f"checkpoints/decoders/{decoder}"]
    torch.manual_seed(1)
    model = t.VisionEncoderDecoderModel.from_encoder_decoder_pretrained(*[str(FOLDER / source) for source in sources])
    model.eval()
    model.config.decoder_start_token_id, model.config.pad_token_id, model.config.eos_token_id = 1, 0, 2
    model.config.encoder._name_or_path = model.config.decoder._name_or_path = ""  # where they were here is no one's matter
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    file = folder / "model.safetensors"
    parameters = load_file(file)
    file.unlink()
    absent = missing(*[str(FOLDER / source) for source in sources])
    new = [key for key in parameters if key in absent or key.startswith("enc_to_dec_proj.")]
    golden = {
        "encoder": sources[0],
        "decoder": sources[1],
        "parameters": {key: list(x.shape) for key, x in parameters.items()},
        "newly_initialized": sorted(new),
    }
    text = json.dumps(golden, indent=1)
    (folder / "golden.json").write_text(re.sub(r"\[[\d,\s]*\]", lambda found: re.sub(r"\s+", "", found[0]), text) + "\n")
    if new:
        save_file({key: parameters[key] for key in new}, folder / "new_parameters.safetensors")
    pixels = load_file(FOLDER / "pixel_values.safetensors")["pixel_values"]
    ids, labels = torch.randint(3, VOCABULARY, (2, 6)), torch.randint(3, VOCABULARY, (2, 5))
    logits = model(pixel_values=pixels, decoder_input_ids=ids).logits
    loss = model(pixel_values=pixels, labels=labels).loss
    save_file(
        {"decoder_input_ids": ids, "labels": labels, "logits": logits, "loss": loss}, folder / "golden.safetensors"
    )
    print(folder.name, len(new), "new")


def main():
    for kind, models in (("encoders", ENCODERS), ("decoders", DECODERS)):
        for name, model in models.items():
            write_source(kind, name, model)
    for encoder, decoder in PAIRS:
        make(encoder, decoder)


if __name__ == "__main__":
    main()
