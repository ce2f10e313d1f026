"""Exports a model as transformers.js's users do, by optimum-onnx, and quantises it as its scripts do: python3 export_peer.py
MODEL FOLDER. The files are FOLDER/onnx/*.onnx and *_quantized.onnx, with the configurations in FOLDER."""
import pathlib
import shutil
import sys

from onnxruntime.quantization import QuantType, quantize_dynamic
from optimum.exporters.onnx import main_export

source, target = map(pathlib.Path, sys.argv[1:3])
raw, files = target / "raw", target / "onnx"
main_export(str(source), output=str(raw), task="image-to-text-with-past", do_validation=False)
files.mkdir(parents=True, exist_ok=True)
for path in raw.glob("*.json"):
    shutil.move(path, target / path.name)
for name in ("encoder_model", "decoder_model_merged"):
    shutil.move(raw / f"{name}.onnx", files / f"{name}.onnx")
    # Convolutions have no kernel for signed weights (scripts/quantize.py of transformers.js).
    kind = QuantType.QUInt8 if name == "encoder_model" else QuantType.QInt8
    options = {"EnableSubgraph": True}
    quantize_dynamic(files / f"{name}.onnx", files / f"{name}_quantized.onnx", weight_type=kind, extra_options=options)
shutil.rmtree(raw)
