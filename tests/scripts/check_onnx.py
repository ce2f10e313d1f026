"""Python's onnx.checker reads what backends/onnx writes: valid messages, known operators, consistent types and shapes.

    python3 tests/scripts/check_onnx.py        # calls `deno`
"""
import pathlib
import subprocess
import sys
import tempfile

import onnx

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
sys.exit(1 if failures else 0)
