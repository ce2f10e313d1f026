"""Makes tests/fixtures/activations.json: the activations of Transformers in float64, by their names in configurations."""

import json
import pathlib

import torch
from transformers.activations import ACT2FN

NAMES = (
    "gelu gelu_10 gelu_fast gelu_new gelu_python gelu_pytorch_tanh gelu_python_tanh gelu_accurate hardswish laplace "
    "leaky_relu linear mish quick_gelu relu relu2 relu6 sigmoid silu swish tanh"
).split()

x = torch.arange(-36, 37, dtype=torch.float64) / 3
values = {name: [round(value, 12) for value in ACT2FN[name](x).tolist()] for name in NAMES}
path = pathlib.Path(__file__).parents[1] / "fixtures/activations.json"
path.write_text(json.dumps({"x": x.tolist(), "values": values}) + "\n")
