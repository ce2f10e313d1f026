"""Makes tokenizer.json files of random components: `python make_components.py FOLDER SEED COUNT`, after make_models.py."""

import os, sys, json, random

os.environ["HF_HUB_OFFLINE"] = "1"
from tokenizers import *
from tokenizers import models, normalizers as N, pre_tokenizers as P, decoders as D, processors as X, trainers as T
from transformers import AutoTokenizer
from texts import BASE, SPECIALS, text, WORDS
from golden import golden
import base64, glob

out, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
CHARSMAPS = [open(f, "rb").read() for f in sorted(glob.glob("models/*.charsmap"))]
CORPUS = BASE * 3 + [" ".join(random.Random(i).choice(WORDS) for _ in range(12)) for i in range(60)]


def norm(r, depth=0):
    k = r.randrange(16)
    if depth == 0 and k < 3:
        return None
    if k < 4:
        return N.NFC()
    if k < 5:
        return r.choice([N.NFD, N.NFKC, N.NFKD])()
    if k < 7:
        return N.Lowercase()
    if k < 8:
        return N.Strip(left=r.random() < 0.6, right=r.random() < 0.6)
    if k < 9:
        return N.StripAccents()
    if k < 10:
        return r.choice(
            [
                N.Replace("a", "bb"),
                N.Replace(Regex(r"\s+"), " "),
                N.Replace(Regex(r" {2,}"), " "),
                N.Replace(" ", "▁"),
                N.Replace(Regex(r"\p{N}"), "0"),
                N.Replace("``", '"'),
                N.Replace(Regex("^x|y$"), "$1"),
                N.Replace(".", ""),
            ]
        )
    if k < 11:
        return N.Prepend("▁")
    if k < 12:
        return N.BertNormalizer(
            clean_text=r.random() < 0.7,
            handle_chinese_chars=r.random() < 0.7,
            strip_accents=r.choice([None, True, False]),
            lowercase=r.random() < 0.5,
        )
    if k < 13:
        return N.Nmt()
    if k < 14 and CHARSMAPS:
        return N.Precompiled(r.choice(CHARSMAPS))
    if depth < 1:
        return N.Sequence([norm(r, 1) for _ in range(r.randint(1, 3))])
    return N.NFKC()


BEH = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]


def pre(r, depth=0):
    k = r.randrange(20)
    if depth == 0 and k < 1:
        return None
    if k < 5:
        return P.ByteLevel(add_prefix_space=r.random() < 0.5, trim_offsets=r.random() < 0.5, use_regex=r.random() < 0.8)
    if k < 7:
        return P.BertPreTokenizer()
    if k < 8:
        return P.Whitespace()
    if k < 9:
        return P.WhitespaceSplit()
    if k < 12:
        return P.Metaspace(
            replacement=r.choice("▁▁▁_"), prepend_scheme=r.choice(["always", "first", "never"]), split=r.random() < 0.7
        )
    if k < 14:
        return P.Split(
            r.choice(
                [
                    " ",
                    Regex(r"\s+"),
                    Regex(r"\d"),
                    Regex(r"[^\w\s]+"),
                    Regex(r"\p{L}+|\p{N}{1,3}"),
                    ".",
                    Regex(
                        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
                    ),
                    Regex(""),
                ]
            ),
            r.choice(BEH),
            invert=r.random() < 0.3,
        )
    if k < 15:
        return P.Punctuation(r.choice(BEH))
    if k < 16:
        return P.Digits(individual_digits=r.random() < 0.5)
    if k < 17:
        return P.CharDelimiterSplit(r.choice(" -e"))
    if k < 18:
        return P.FixedLength(r.randint(1, 5))
    if depth < 1:
        return P.Sequence([pre(r, 1) for _ in range(r.randint(1, 3))])
    return P.WhitespaceSplit()


def dec(r, depth=0):
    k = r.randrange(14)
    if depth == 0 and k < 1:
        return None
    if k < 4:
        return D.ByteLevel()
    if k < 6:
        return D.WordPiece(prefix=r.choice(["##", "##", "@@", ""]), cleanup=r.random() < 0.6)
    if k < 8:
        return D.Metaspace(replacement=r.choice("▁▁▁_"), prepend_scheme=r.choice(["always", "first", "never"]))
    if k < 9:
        return D.BPEDecoder(suffix=r.choice(["</w>", "</w>", ""]))
    if k < 10:
        return r.choice(
            [
                D.Fuse(),
                D.ByteFallback(),
                D.Strip(content=" ", left=1, right=0),
                D.Strip(content="a", left=0, right=2),
                D.Replace("▁", " "),
                D.Replace(Regex("[aeiou]"), "*"),
            ]
        )
    if k < 11:
        return D.CTC(
            pad_token=r.choice(["<pad>", "a"]), word_delimiter_token=r.choice(["|", " ", "e"]), cleanup=r.random() < 0.5
        )
    if depth < 1:
        if r.random() < 0.5:
            return D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
        return D.Sequence([dec(r, 1) for _ in range(r.randint(1, 3))])
    return D.Fuse()


def model(r):
    k = r.random()
    sp = ["<unk>", "<pad>", "<s>", "</s>", "[CLS]", "[SEP]"]
    if k < 0.45:
        kw = {}
        if r.random() < 0.5:
            kw["unk_token"] = "<unk>"
        if r.random() < 0.3:
            kw["fuse_unk"] = True
        if r.random() < 0.2:
            kw["continuing_subword_prefix"] = "##"
        if r.random() < 0.2:
            kw["end_of_word_suffix"] = "</w>"
        if r.random() < 0.2:
            kw["ignore_merges"] = True
        m = models.BPE(**kw)
        t = dict(vocab_size=r.choice([150, 300, 500]), special_tokens=sp, show_progress=False)
        if r.random() < 0.6:
            t["initial_alphabet"] = P.ByteLevel.alphabet()
        if "continuing_subword_prefix" in kw:
            t["continuing_subword_prefix"] = "##"
        if "end_of_word_suffix" in kw:
            t["end_of_word_suffix"] = "</w>"
        return m, T.BpeTrainer(**t)
    if k < 0.7:
        pf = r.choice(["##", "##", "", "@@"])
        return models.WordPiece(unk_token="<unk>", max_input_chars_per_word=r.choice([100, 5, 10])), T.WordPieceTrainer(
            vocab_size=r.choice([200, 400]),
            special_tokens=sp,
            show_progress=False,
            continuing_subword_prefix=pf or "##",
        )
    if k < 0.95:
        return models.Unigram(), T.UnigramTrainer(
            vocab_size=r.choice([200, 400]), special_tokens=sp, unk_token="<unk>", show_progress=False
        )
    return models.WordLevel(unk_token="<unk>"), T.WordLevelTrainer(
        vocab_size=300, special_tokens=sp, show_progress=False
    )


def post(r, tk):
    i = tk.token_to_id
    k = r.randrange(8)
    if k < 2:
        return None
    if k < 3:
        return X.BertProcessing(("[SEP]", i("[SEP]")), ("[CLS]", i("[CLS]")))
    if k < 4:
        return X.RobertaProcessing(
            ("</s>", i("</s>")), ("<s>", i("<s>")), add_prefix_space=r.random() < 0.5, trim_offsets=r.random() < 0.5
        )
    if k < 5:
        return X.ByteLevel(trim_offsets=r.random() < 0.5)
    t = X.TemplateProcessing(
        single=r.choice(["<s> $A </s>", "$A </s>", "[CLS] [CLS] $A", "$A </s> [SEP]"]),
        pair="$A $B",
        special_tokens=[(x, i(x)) for x in ["<s>", "</s>", "[CLS]", "[SEP]"]],
    )
    if k < 7:
        return t
    return X.Sequence([X.ByteLevel(trim_offsets=False), t])


def added(r):
    toks = []
    for _ in range(r.choice([0, 1, 3, 8])):
        c = r.choice(
            [
                "foo",
                "foo bar",
                "<tag>",
                " lead",
                "trail ",
                "ADDED",
                "Added",
                "é",
                "e\u0301",
                "ÀB",
                "<|x|>",
                "İ",
                "漢",
                "123",
                "'s",
                "a",
                "##a",
                "the",
                " ",
                "\n",
                "▁the",
                "<s_menu>",
                "ﬁne",
                "😀",
                "don't",
            ]
        )
        toks.append(
            AddedToken(
                c,
                single_word=r.random() < 0.3,
                lstrip=r.random() < 0.3,
                rstrip=r.random() < 0.3,
                normalized=r.random() < 0.5,
                special=r.random() < 0.4,
            )
        )
    return toks


for c in range(count):
    r = random.Random(seed * 100000 + c)
    d = f"{out}/{seed}_{c}"
    os.makedirs(d, exist_ok=True)
    try:
        m, tr = model(r)
        tk = Tokenizer(m)
        tk.normalizer = norm(r)
        tk.pre_tokenizer = pre(r)
        tk.train_from_iterator(CORPUS, tr)
        js = json.loads(tk.to_str())
        if js["model"]["type"] == "Unigram" and r.random() < 0.3:
            v = js["model"]["vocab"]
            v += [[f"<0x{b:02X}>", -9.0] for b in range(256)]
            js["model"]["byte_fallback"] = True
        if js["model"]["type"] == "BPE" and r.random() < 0.15:
            v = js["model"]["vocab"]
            for b in range(256):
                v.setdefault(f"<0x{b:02X}>", len(v))
            js["model"]["byte_fallback"] = True
        if js["model"]["type"] == "WordPiece" and tk.model.continuing_subword_prefix != "##":
            pass
        tk = Tokenizer.from_str(json.dumps(js))
        tk.post_processor = post(r, tk) or tk.post_processor
        tk.decoder = dec(r) or tk.decoder
        a = added(r)
        for t in a:
            (tk.add_special_tokens if t.special else tk.add_tokens)([t])
        tk.save(d + "/tokenizer.json")
        cfg = {
            "tokenizer_class": r.choice(["PreTrainedTokenizerFast", "TokenizersBackend"]),
            "pad_token": "<pad>",
            "unk_token": "<unk>",
        }
        if r.random() < 0.5:
            cfg.update(bos_token="<s>", eos_token="</s>")
        if r.random() < 0.3:
            cfg["clean_up_tokenization_spaces"] = True
        if r.random() < 0.3:
            cfg["padding_side"] = "left"
        if r.random() < 0.3:
            cfg["truncation_side"] = "left"
        if r.random() < 0.3:
            cfg["model_max_length"] = 16
        if r.random() < 0.2:
            cfg["extra_special_tokens"] = ["<extra>", "the"]
        if r.random() < 0.1:
            cfg["additional_special_tokens"] = ["<more>"]
        json.dump(cfg, open(d + "/tokenizer_config.json", "w"))
        tok = AutoTokenizer.from_pretrained(d)
        g = golden(tok, r, 14, [t.content for t in a])
        for _ in range(3):
            t2 = AutoTokenizer.from_pretrained(d)
            if any(t2(x["t"])["input_ids"] != x["ids"] for x in g["rows"]):
                g = {"error": "random"}
                break
    except BaseException as e:
        g = {"error": f"{type(e).__name__}: {e}"[:300]}
    json.dump(g, open(d + "/golden.json", "w"))
