"""One process of PyTorch's Transformers, measured by mod.ts: python3 pytorch_peer.py FOLDER. A line of JSON at the first text,
one at the end."""
import json
import sys
import time

import torch
from transformers import VisionEncoderDecoderModel

TOKENS, REPEATS = 16, 3


def timed(work):
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


with torch.inference_mode():
    began = time.perf_counter()
    model = VisionEncoderDecoderModel.from_pretrained(sys.argv[1]).eval()
    load = 1000 * (time.perf_counter() - began)
    size = model.config.encoder.image_size
    pixels = 2 * torch.rand(8, 3, size, size) - 1
    write = lambda count, length=TOKENS: model.generate(
        pixels[:count], max_new_tokens=length, min_new_tokens=length, do_sample=False, num_beams=1
    )
    write(1)
    print(json.dumps({"load": load}), flush=True)
    caption = min(timed(lambda: write(1)) for _ in range(REPEATS))
    first = min(timed(lambda: write(1, 1)) for _ in range(REPEATS))
    encode = min(timed(lambda: model.encoder(pixels[:1])) for _ in range(REPEATS))
    batch = timed(lambda: write(8))
    token = (caption - first) / (TOKENS - 1)
    print(json.dumps({"caption": caption, "encode": encode, "token": token, "batch": batch}))
