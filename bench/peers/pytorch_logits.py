"""The logits of PyTorch's Transformers: python3 pytorch_logits.py MODEL PIXELS IDS RESULT. Pixels and the result are float32 as they
lie in memory, ids numbers with commas between them."""
import json
import sys

import numpy as np
import torch
from transformers import VisionEncoderDecoderModel

path, pixels, ids, result = sys.argv[1:]
with torch.inference_mode():
    model = VisionEncoderDecoderModel.from_pretrained(path).eval()
    size = model.config.encoder.image_size
    picture = torch.from_numpy(np.fromfile(pixels, dtype=np.float32).reshape(1, 3, size, size))
    tokens = torch.tensor([[int(id) for id in ids.split(",")]])
    model(pixel_values=picture, decoder_input_ids=tokens).logits.numpy().tofile(result)
print(json.dumps({"tokens": tokens.shape[1]}))
