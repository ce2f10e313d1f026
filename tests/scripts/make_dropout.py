"""Makes tests/fixtures/dropout: where Transformers drops in training, family by family.

Every probability of a configuration gets a value of its own, and each call of dropout or DropPath is noted, in order:
[probability, elements], and for a DropPath true. In place of random masks all stays, divided by how probable that is; so
the results are those of every place at once: states of the encoder, and the first logits of each token.

    python tests/scripts/make_dropout.py
"""

import json
from pathlib import Path

import torch
import transformers as t
from safetensors.torch import load_file, save_file

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
MODELS = """vit_bert vit_gpt2_scaled vit_gpt2_upcast_relu vit_bart vit_trocr_base vit_roberta vit_xlm_roberta
vit_camembert vit_electra vit_bert_generation vit_roberta_prelayernorm deit_trocr_small beit_bert_plain beit_roberta_shared
data2vec_vision_bert data2vec_vision_gpt2_absolute dinov2_bert dinov2_gpt2_gated clip_bert siglip_bert swin_bert_pad_ape
swin_gpt2 swinv2_bert swinv2_gpt2_pretrained donut_swin_mbart""".split()
LOGITS = 8
ENCODER = dict(hidden_dropout_prob=0.11, attention_probs_dropout_prob=0.23, attention_dropout=0.31, drop_path_rate=0.42)
DECODER = dict(
    hidden_dropout_prob=0.13, attention_probs_dropout_prob=0.21, resid_pdrop=0.17, embd_pdrop=0.29, attn_pdrop=0.37,
    dropout=0.14, attention_dropout=0.26, activation_dropout=0.34,
)

calls = []


def dropout(x, p=0.5, training=True, inplace=False):
    if not training or p == 0:
        return x
    calls.append([p, x.numel()])
    return x / (1 - p)


def path_of(module):
    def forward(x):
        calls.append([module.drop_prob, x.numel(), True])
        return x / (1 - module.drop_prob)

    return forward


def set_given(config, values):
    """The fields of a configuration that are set, by the names that it writes."""
    known = config.to_dict()
    given = {key: value for key, value in values.items() if key in known}
    for key, value in given.items():
        setattr(config, key, value)
    return given


@torch.no_grad()
def main():
    torch.nn.functional.dropout = dropout
    cases, tensors = [], {}
    for name in MODELS:
        folder = FIXTURES / "models" / name
        config = t.VisionEncoderDecoderConfig.from_pretrained(folder)
        given = {"encoder": set_given(config.encoder, ENCODER), "decoder": set_given(config.decoder, DECODER)}
        model = t.VisionEncoderDecoderModel.from_pretrained(folder, config=config, attn_implementation="eager").float().train()
        for module in model.modules():
            if type(module).__name__.endswith("DropPath"):
                module.forward = path_of(module)
        golden = load_file(folder / "golden.safetensors")
        calls.clear()
        output = model(pixel_values=golden["pixel_values"], decoder_input_ids=golden["decoder_input_ids"])
        cases.append({"name": name, **given, "calls": [[round(p, 6), *rest] for p, *rest in calls]})
        tensors[f"{name}.states"] = output.encoder_last_hidden_state.contiguous()
        tensors[f"{name}.logits"] = output.logits[..., :LOGITS].contiguous()
    folder = FIXTURES / "dropout"
    folder.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(case) for case in cases)
    (folder / "cases.json").write_text("[\n" + lines + "\n]\n")
    save_file(tensors, folder / "golden.safetensors")
    print({case["name"]: len(case["calls"]) for case in cases})


main()
