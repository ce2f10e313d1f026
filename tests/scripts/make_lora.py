"""Makes LoRA adapters of models in tests/fixtures/models with Python's peft, with what is computed with them, in
tests/fixtures/adapters.

Each folder has the adapter as save_pretrained writes it, and golden.safetensors: the logits for the pictures and ids of the
model's own golden.safetensors, and a greedy text. targets.json has which modules of three models peft adapts, by various
target_modules, and with which rank.

    python tests/scripts/make_lora.py
"""

import json
import shutil
import warnings
from pathlib import Path

import peft
import torch
import transformers as t
from safetensors.torch import load_file, save_file

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"

# The model, what peft.LoraConfig is given, and the type of A and B.
ADAPTERS = {
    "vit_gpt2": (
        "vit_gpt2_captioning",
        dict(r=3, lora_alpha=6, lora_dropout=0.1, target_modules=["q_proj", "v_proj", "c_attn", "q_attn", "c_fc"]),
        torch.float32,
    ),
    "vit_gpt2_all_linear": ("vit_gpt2_captioning", dict(r=2, lora_alpha=5, target_modules="all-linear"), torch.bfloat16),
    "deit_trocr": (
        "deit_trocr_small",
        dict(
            r=4, lora_alpha=8, use_rslora=True, rank_pattern={r"encoder_attn\.q_proj": 2, "fc1": 5},
            alpha_pattern={r"layers\.1\.mlp\.fc1": 3},
            target_modules=r"encoder\..*\.(?:fc1|o_proj)|decoder\.(?P<base>model).*_attn\.(q_proj|out_proj)|.*decoder.*fc1",
        ),
        torch.float32,
    ),
}


def make(name, base, settings, dtype):
    torch.manual_seed(len(name))
    folder = FIXTURES / "models" / base
    model = t.VisionEncoderDecoderModel.from_pretrained(folder, attn_implementation="eager").eval()
    golden = load_file(folder / "golden.safetensors")
    adapted = peft.get_peft_model(model, peft.LoraConfig(**settings)).eval()
    for key, parameter in adapted.named_parameters():
        if "lora_B" in key:
            parameter.data = 0.3 * torch.randn_like(parameter)
        if "lora_" in key:
            parameter.data = parameter.data.to(dtype).to(torch.float32)
    inputs = {"pixel_values": golden["pixel_values"], "decoder_input_ids": golden["decoder_input_ids"]}
    with torch.no_grad():
        results = {"logits": adapted(**inputs).logits}
        results["sequences"] = adapted.generate(
            pixel_values=inputs["pixel_values"], max_new_tokens=8, do_sample=False, num_beams=1
        )
    change = (results["logits"] - golden["logits"]).abs().max() / golden["logits"].abs().max()
    assert change > 0.05, change
    target = FIXTURES / "adapters" / name
    shutil.rmtree(target, ignore_errors=True)
    for parameter in adapted.parameters():
        parameter.data = parameter.data.to(dtype)
    adapted.peft_config["default"].base_model_name_or_path = base
    adapted.save_pretrained(target)
    (target / "README.md").unlink()
    save_file(results, target / "golden.safetensors")
    print(f"{name}: {sum(file.stat().st_size for file in target.iterdir())} bytes, logits changed by {change:.2f}")


# Models, and ways to name what is adapted.
NAMED = ["vit_gpt2_captioning", "deit_trocr_small", "swin_bert"]
TARGETS = [
    dict(target_modules=["fc1", "attn.c_attn", "query"]),
    dict(target_modules=["decoder.transformer.h.1.mlp.c_proj", "layers.1.fc2", "output.dense"]),
    dict(target_modules="all-linear"),
    dict(target_modules="All-Linear", exclude_modules=["fc1", "dense"]),
    dict(target_modules=r".*\.(?:1|0)\..*(?:_proj|query|c_attn)", exclude_modules=r"encoder\..*"),
    dict(target_modules=r"(?P<part>en|de)coder.*(?:c_fc|fc2|value|v_proj)"),
    dict(target_modules=["q_proj", "c_attn", "key"], layers_to_transform=1),
    dict(target_modules=["q_proj", "c_attn", "key"], layers_to_transform=[0, 3], layers_pattern="h"),
    dict(target_modules=["q_proj", "c_attn", "key"], layers_to_transform=[0], layers_pattern=["layers", "layer"]),
    dict(
        target_modules=["q_proj", "c_attn", "key", "fc1"], rank_pattern={"key": 2, r"layers\.1\.attention\.q_proj": 7},
        alpha_pattern={r".*encoder.*q_proj": 9, "^fc1": 1, "decoder.transformer.h.0.attn.c_attn": 5},
    ),
]


def name_targets():
    """The adapted modules with their ranks and scalings by model, for each of TARGETS; none where peft finds none."""
    found = []
    for settings in TARGETS:
        found.append({"config": settings, "models": {}})
        for base in NAMED:
            model = t.VisionEncoderDecoderModel.from_pretrained(FIXTURES / "models" / base)
            try:
                adapted = peft.get_peft_model(model, peft.LoraConfig(r=4, lora_alpha=8, **settings))
                found[-1]["models"][base] = {
                    name.removeprefix("base_model.model."): [module.r["default"], module.scaling["default"]]
                    for name, module in adapted.named_modules() if isinstance(module, peft.tuners.lora.LoraLayer)
                }
            except ValueError as error:
                assert "not found in the base model" in str(error) or "No modules were targeted" in str(error), error
                found[-1]["models"][base] = {}
    (FIXTURES / "adapters" / "targets.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    name_targets()
    t.logging.set_verbosity_error()
    for name, arguments in ADAPTERS.items():
        make(name, *arguments)
