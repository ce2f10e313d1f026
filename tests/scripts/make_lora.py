"""Makes LoRA adapters of models in tests/fixtures/models with Python's peft, with what is computed with them, in
tests/fixtures/adapters.

Each folder has the adapter as save_pretrained writes it, and golden.safetensors: the logits for the pictures and ids of the
model's own golden.safetensors, and a greedy text.

    python tests/scripts/make_lora.py
"""

import shutil
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


if __name__ == "__main__":
    t.logging.set_verbosity_error()
    for name, arguments in ADAPTERS.items():
        make(name, *arguments)
