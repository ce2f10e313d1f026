"""Python reads what backends/onnx writes: onnx.checker finds valid messages, known operators, consistent types and shapes, and
onnxruntime computes PyTorch's logits with what examples/export_onnx.ts writes.

    python3 tests/scripts/check_onnx.py        # calls `deno`
"""
import pathlib
import subprocess
import sys
import tempfile

import onnx

from run_onnx_export import check

root = pathlib.Path(__file__).resolve().parents[2]
failures = 0
with tempfile.TemporaryDirectory() as folder:
    writer = root / "tests/scripts/write_onnx_models.ts"
    subprocess.run(["deno", "run", "-A", "--quiet", str(writer), folder], check=True, cwd=root)
    models = sorted(pathlib.Path(folder).glob("*.onnx"))
    assert len(models) > 100, f"only {len(models)} models were written"
    for path in models:
        try:
            onnx.checker.check_model(str(path))
            # Shape inference stops at ONNX Runtime's own operators; what it knows must agree with what is declared.
            onnx.shape_inference.infer_shapes(onnx.load(str(path), load_external_data=False), check_type=True, strict_mode=True)
        except Exception as error:
            failures += 1
            print(f"{path.name}: {error}", file=sys.stderr)
    print(f"onnx {onnx.__version__} accepts {len(models) - failures} of {len(models)} models")

    sources = [root / "assets/model", *(root / "tests/fixtures/models" / name for name in ("vit_gpt2_captioning", "donut_swin_mbart"))]
    for source in sources:
        for flags in ([], ["--standard"]):
            name = " ".join([source.name, *flags])
            try:
                away = check(root, source, pathlib.Path(folder) / name.replace(" ", ""), flags)
                # A float32 model in another order of sums; 1e-4 is what whole models are held to.
                assert away < 1e-4, f"its logits are {away:.1e} of the largest from PyTorch's"
                print(f"{name}, exported: onnxruntime's logits are within {away:.1e} of PyTorch's")
            except Exception as error:
                failures += 1
                print(f"{name}, exported: {error}", file=sys.stderr)
sys.exit(1 if failures else 0)
