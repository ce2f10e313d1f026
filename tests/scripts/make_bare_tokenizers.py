"""Makes tests/fixtures/tokenizers/*_bare: repositories without a tokenizer.json, and what Transformers makes of them.

    python tests/scripts/make_bare_tokenizers.py      (needs transformers, tokenizers and sentencepiece)

The vocabularies are trained on the texts of scripts/tokenizer_fuzz; the texts of the goldens are those of the fixtures that
are there already.
"""

import io
import json
import os
import random
import shutil
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import sentencepiece  # noqa: E402
import tokenizers  # noqa: E402
import transformers  # noqa: E402
from tokenizers import models, normalizers, pre_tokenizers, trainers  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent / "tokenizer_fuzz"))
from texts import BASE  # noqa: E402

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "tokenizers"
TEXTS = [row["text"] for row in json.loads((FIXTURES / "xlmr_spm_model_only/golden.json").read_text())["encode"]]
CORPUS = BASE * 20 + TEXTS * 3
ROLES = ["bos", "eos", "pad", "unk", "cls", "sep", "mask"]


def sentence_piece(file, kind="unigram", rule="identity", **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=options.pop("vocab_size", 320), model_type=kind,
        normalization_rule_name=rule, character_coverage=0.98, hard_vocab_limit=False, minloglevel=2, **options)
    file.write_bytes(model.getvalue())


def xlnet(folder):
    sentence_piece(folder / "spiece.model", rule="nmt_nfkc", control_symbols=["<cls>", "<sep>", "<pad>", "<mask>", "<eod>"],
                   user_defined_symbols=["<eop>"])
    return {"tokenizer_class": "XLNetTokenizer"}


def llama(folder):
    sentence_piece(folder / "tokenizer.model", "bpe", byte_fallback=True, vocab_size=600)
    return {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False}


def llama_legacy(folder):
    sentence_piece(folder / "tokenizer.model", "bpe", byte_fallback=True, vocab_size=560, user_defined_symbols=["<x>"])
    return {"tokenizer_class": "LlamaTokenizerFast", "legacy": True, "pad_token": "</s>", "add_eos_token": True}


def deberta_v2(folder):
    sentence_piece(folder / "spm.model", pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]",
                   eos_piece="[SEP]", unk_piece="[UNK]", unk_surface="[UNK]")
    (folder / "added_tokens.json").write_text('{"[MASK]": 320}')
    return {"tokenizer_class": "DebertaV2Tokenizer", "do_lower_case": False}


def deberta_v2_words(folder):
    sentence_piece(folder / "spm.model", unk_piece="[UNK]", control_symbols=["[CLS]", "[SEP]", "[PAD]"])
    return {"tokenizer_class": "DebertaV2TokenizerFast", "do_lower_case": True, "split_by_punct": True}


def barthez(folder):
    sentence_piece(folder / "sentencepiece.bpe.model")
    return {"tokenizer_class": "BarthezTokenizer"}


def convbert(folder):
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        CORPUS, trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False))
    words = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word, _ in words))
    return {"tokenizer_class": "ConvBertTokenizer", "do_lower_case": True}


def herbert(folder):
    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=500, special_tokens=special, end_of_word_suffix="</w>", show_progress=False))
    tokenizer.model.save(str(folder))
    return {"tokenizer_class": "HerbertTokenizer"}


def decodings(tokenizer, ids):
    return {f"decode_skip{skip}_clean{clean}": tokenizer.decode(ids, skip_special_tokens=bool(skip),
                                                                clean_up_tokenization_spaces=bool(clean))
            for skip in (0, 1) for clean in (0, 1)}


def golden(name, tokenizer):
    draw = random.Random(name)
    size = len(tokenizer)

    def encoded(text):
        ids = tokenizer(text)["input_ids"]
        return {"text": text, "ids": ids, "ids_no_special": tokenizer(text, add_special_tokens=False)["input_ids"],
                "tokens": tokenizer.convert_ids_to_tokens(ids), **decodings(tokenizer, ids)}

    rows = [[draw.randrange(size) for _ in range(draw.randint(1, 20))] for _ in range(12)]
    padding = None
    if tokenizer.pad_token is not None:
        texts = TEXTS[-6:]
        cut = tokenizer(texts, padding="max_length", truncation=True, max_length=12)
        longest = tokenizer(texts, padding="longest")
        padding = {"texts": texts, "max_length": 12, "ids_max_length_truncated": cut["input_ids"],
                   "mask_max_length_truncated": cut["attention_mask"], "ids_longest": longest["input_ids"],
                   "mask_longest": longest["attention_mask"]}
    return {
        "name": name, "versions": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__,
                                   "sentencepiece": sentencepiece.__version__},
        "class": type(tokenizer).__name__, "vocab_size": size,
        "special_ids": {f"{role}_token_id": getattr(tokenizer, f"{role}_token_id") for role in ROLES},
        "all_special_ids": sorted(set(tokenizer.all_special_ids)),
        "clean_up_tokenization_spaces_default": tokenizer.clean_up_tokenization_spaces,
        "added_tokens": {token: id for token, id in tokenizer.get_added_vocab().items()},
        "encode": [encoded(text) for text in TEXTS],
        "decode_random_ids": [{"ids": ids, **decodings(tokenizer, ids)} for ids in rows],
        "batch_decode": {"ids": rows[:4], "texts_skip1": tokenizer.batch_decode(rows[:4], skip_special_tokens=True),
                         "texts_skip0": tokenizer.batch_decode(rows[:4])},
        "single_token_decode": [tokenizer.decode([id]) for id in range(size)],
        "padding": padding,
    }


def main():
    for make in [xlnet, llama, llama_legacy, deberta_v2, deberta_v2_words, barthez, convbert, herbert]:
        name = f"{make.__name__}_bare"
        folder = FIXTURES / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        config = make(folder)
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
        tokenizer = AutoTokenizer.from_pretrained(folder)
        (folder / "golden.json").write_text(json.dumps(golden(name, tokenizer), ensure_ascii=False, separators=(",", ":")))
        print(name, type(tokenizer).__name__, len(tokenizer), sum(file.stat().st_size for file in folder.iterdir()))


if __name__ == "__main__":
    main()
