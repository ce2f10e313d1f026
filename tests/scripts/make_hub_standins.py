"""Computes with Transformers what tests/hub/hub_cases.ts expects of the embedded model, which stands in for published ones.

    python3 tests/scripts/make_hub_standins.py
"""

import pathlib

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, VisionEncoderDecoderModel

ROOT = pathlib.Path(__file__).parents[2]
model = VisionEncoderDecoderModel.from_pretrained(ROOT / "assets/model", dtype=torch.float32, attn_implementation="eager")
model.eval()
processor = AutoImageProcessor.from_pretrained(ROOT / "assets/model")
tokenizer = AutoTokenizer.from_pretrained(ROOT / "assets/model")
picture = Image.open(ROOT / "assets/examples/line.png").convert("RGB")
pixels = processor(picture, return_tensors="pt").pixel_values
start = torch.tensor([[model.generation_config.decoder_start_token_id]])
with torch.no_grad():
    print("logits", [round(float(x), 4) for x in model(pixel_values=pixels, decoder_input_ids=start).logits[0, 0, :10]])
    beams = model.generate(pixels, num_beams=4, max_length=16, output_scores=True, return_dict_in_generate=True)
    print("beams", tokenizer.batch_decode(beams.sequences, skip_special_tokens=True), float(beams.sequences_scores[0]))
    labels = tokenizer("ninth century Zen master", return_tensors="pt").input_ids
    model.config.decoder_start_token_id = model.generation_config.decoder_start_token_id
    model.config.pad_token_id = tokenizer.pad_token_id
    print("loss", float(model(pixel_values=pixels, labels=labels).loss))
