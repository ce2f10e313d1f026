"""Makes repositories of Transformers' classes with all kinds of files beside the vocabulary:
`python make_repositories.py FOLDER SEED COUNT`, after make_models.py."""

import os, sys, json, random, glob, shutil

os.environ["HF_HUB_OFFLINE"] = "1"
from tokenizers import *
from tokenizers import models, normalizers as N, pre_tokenizers as P, decoders as D, processors as X, trainers as T
from transformers import AutoTokenizer
from texts import BASE, SPECIALS, text, WORDS
from golden import golden

out, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
SPMS = sorted(glob.glob("models/*.model"))


def corpus(r):
    return [" ".join(r.choice(WORDS) for _ in range(12)) for i in range(80)] + BASE


def tok(c, r, **kw):
    d = dict(
        content=c, single_word=False, lstrip=False, rstrip=False, normalized=r.random() < 0.5, special=r.random() < 0.5
    )
    d.update(kw)
    return d


def flags(r, d):
    for k in ("single_word", "lstrip", "rstrip"):
        if r.random() < 0.25:
            d[k] = True
    return d


def bpe(r, sp):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = P.ByteLevel(add_prefix_space=False)
    full = r.random() < 0.8
    t.train_from_iterator(
        corpus(r),
        T.BpeTrainer(
            vocab_size=r.choice([330, 450]),
            special_tokens=sp,
            initial_alphabet=P.ByteLevel.alphabet() if full else [],
            show_progress=False,
        ),
    )
    return t


def words_bpe(r, sp):
    t = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    t.pre_tokenizer = P.BertPreTokenizer()
    t.train_from_iterator(
        corpus(r),
        T.BpeTrainer(
            vocab_size=r.choice([330, 450]), special_tokens=sp, end_of_word_suffix="</w>", show_progress=False
        ),
    )
    return t


def wp(r, sp):
    t = Tokenizer(models.WordPiece(unk_token=sp[1]))
    t.normalizer = N.BertNormalizer(lowercase=r.random() < 0.5)
    t.pre_tokenizer = P.BertPreTokenizer()
    t.train_from_iterator(
        corpus(r), T.WordPieceTrainer(vocab_size=r.choice([250, 400]), special_tokens=sp, show_progress=False)
    )
    return t


def dump(d, name, o):
    json.dump(o, open(f"{d}/{name}", "w"))


def merges_of(t):
    m = json.loads(t.to_str())["model"]["merges"]
    return ["#version: 0.2"] + [x if isinstance(x, str) else " ".join(x) for x in m]


def dress(r, d, cfg, base, have_json):
    """special tokens map, added tokens, tokenizer_config extras"""
    extra = ["<x>", "<y z>", "foo", "Added", "éa"]
    if r.random() < 0.3:
        cfg[r.choice(["extra_special_tokens", "additional_special_tokens"])] = [
            r.choice(extra) if r.random() < 0.7 else dict(flags(r, tok(r.choice(extra), r)), __type="AddedToken")
            for _ in range(r.randint(1, 2))
        ]
    if r.random() < 0.08:
        cfg["extra_special_tokens"] = {"image_token": "<image>", "foo": "<bar>"}
    if r.random() < 0.1:
        cfg["image_token"] = "<image>"
    if r.random() < 0.35:
        m = {}
        for k, v in base.items():
            if r.random() < 0.6:
                m[k + "_token"] = (
                    v if r.random() < 0.6 else {k2: v2 for k2, v2 in flags(r, tok(v, r)).items() if k2 != "special"}
                )
        if r.random() < 0.3:
            m["additional_special_tokens"] = ["<add1>", "foo"]
        dump(d, "special_tokens_map.json", m)
    if r.random() < 0.25:
        dump(
            d,
            "added_tokens.json",
            {"<at1>": 900, "foo bar": 901} if r.random() < 0.6 else {"<x>": 880, "lower": 879, "Upper": 878},
        )
    if r.random() < 0.2:
        n = 700
        cfg["added_tokens_decoder"] = {
            str(i): flags(r, tok(c, r))
            for i, c in zip(
                [0, 1, n, n + 1, n + 5], [list(base.values())[0], list(base.values())[-1], "<dec>", "Dec oder", "dec"]
            )
            if r.random() < 0.8
        }
    for k, v in base.items():
        if r.random() < 0.5:
            cfg[k + "_token"] = v if r.random() < 0.7 else dict(flags(r, tok(v, r)), __type="AddedToken")
        elif r.random() < 0.05:
            cfg[k + "_token"] = "<new_" + k + ">"
    if r.random() < 0.2:
        cfg["padding_side"] = r.choice(["left", "right"])
    if r.random() < 0.2:
        cfg["truncation_side"] = r.choice(["left", "right"])
    if r.random() < 0.3:
        cfg["model_max_length"] = r.choice([8, 20, 512, 10**30, 1e30])
    if r.random() < 0.3:
        cfg["clean_up_tokenization_spaces"] = r.random() < 0.5
    if r.random() < 0.15:
        cfg["add_bos_token"] = r.random() < 0.7
    if r.random() < 0.15:
        cfg["add_eos_token"] = r.random() < 0.7
    if r.random() < 0.15:
        cfg["pad_token"] = cfg.get("pad_token", list(base.values())[0])
    if r.random() < 0.3:
        cfg.update(name_or_path="x", special_tokens_map_file="/nowhere", use_fast=True, legacy=False)


def case(r, d):
    kind = r.choice(
        [
            "bert",
            "bert",
            "distil",
            "gpt2",
            "gpt2",
            "roberta",
            "bart",
            "xlmr",
            "xlmr",
            "mbart",
            "mbart50",
            "nougat",
            "t5",
            "camembert",
            "barthez",
            "deberta",
            "herbert",
            "llama",
            "xlnet",
            "unknown",
        ]
    )
    cfg = {}
    names = {
        "bert": ["BertTokenizer", "BertTokenizerFast", "ElectraTokenizer", "ConvBertTokenizer"],
        "distil": ["DistilBertTokenizer"],
        "gpt2": ["GPT2Tokenizer", "GPT2TokenizerFast"],
        "roberta": ["RobertaTokenizer", "RobertaTokenizerFast"],
        "bart": ["BartTokenizer"],
        "xlmr": ["XLMRobertaTokenizer", "XLMRobertaTokenizerFast"],
        "mbart": ["MBartTokenizer", "MBartTokenizerFast"],
        "mbart50": ["MBart50Tokenizer"],
        "nougat": ["NougatTokenizer", "NougatTokenizerFast"],
        "t5": ["T5Tokenizer"],
        "camembert": ["CamembertTokenizer"],
        "barthez": ["BarthezTokenizer"],
        "deberta": ["DebertaV2Tokenizer", "DebertaV2TokenizerFast"],
        "herbert": ["HerbertTokenizer"],
        "llama": ["LlamaTokenizer", "LlamaTokenizerFast"],
        "xlnet": ["XLNetTokenizer"],
        "unknown": ["FooTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend"],
    }
    cfg["tokenizer_class"] = r.choice(names[kind])
    model_type = {
        "bert": "bert",
        "distil": "distilbert",
        "gpt2": "gpt2",
        "roberta": "roberta",
        "bart": "bart",
        "xlmr": r.choice(["trocr", "xlm-roberta"]),
        "mbart": "mbart",
        "mbart50": "mbart50",
        "nougat": "nougat",
        "t5": "t5",
        "camembert": "camembert",
        "barthez": "barthez",
        "deberta": "deberta-v2",
        "herbert": "herbert",
        "xlnet": "xlnet",
    }.get(kind)
    sentence = dict(bos="<s>", eos="</s>", unk="<unk>", pad="<pad>", cls="<s>", sep="</s>", mask="<mask>")
    bert = dict(pad="[PAD]", unk="[UNK]", cls="[CLS]", sep="[SEP]", mask="[MASK]")
    how = r.choice(["json", "slow", "both"])
    if kind in ("bert", "distil"):
        sp = list(bert.values())
        t = wp(r, sp)
        base = bert
        if r.random() < 0.6:
            cfg["do_lower_case"] = r.random() < 0.5
        if r.random() < 0.3:
            cfg["strip_accents"] = r.choice([True, False, None])
        if r.random() < 0.3:
            cfg["tokenize_chinese_chars"] = r.random() < 0.5
        if how != "json":
            v = sorted(t.get_vocab().items(), key=lambda x: x[1])
            open(d + "/vocab.txt", "w").write("\n".join(a for a, _ in v) + r.choice(["\n", ""]))
        if how != "slow":
            t.post_processor = X.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
            t.decoder = D.WordPiece()
            if r.random() < 0.3:
                t.add_tokens(["foo bar", "<js>"])
            if r.random() < 0.7:
                t.add_special_tokens(sp)
            t.save(d + "/tokenizer.json")
    elif kind in ("gpt2", "roberta", "bart", "nougat", "herbert", "unknown"):
        if kind == "gpt2":
            sp = ["<|endoftext|>"]
            base = dict(bos=sp[0], eos=sp[0], unk=sp[0])
        else:
            sp = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
            base = sentence
        if kind == "nougat":
            base = {k: sentence[k] for k in ("bos", "eos", "unk", "pad")}
        t = words_bpe(r, sp) if kind == "herbert" else bpe(r, sp)
        if r.random() < 0.4:
            cfg["add_prefix_space"] = r.random() < 0.6
        if kind != "gpt2" and r.random() < 0.2:
            cfg["trim_offsets"] = False
        if kind == "unknown":
            how = "json"
            t.normalizer = r.choice([None, N.NFKC(), N.Lowercase()])
        if how != "json":
            dump(d, "vocab.json", t.get_vocab() if r.random() < 0.8 else dict(sorted(t.get_vocab().items())))
            open(d + "/merges.txt", "w").write("\n".join(merges_of(t)) + "\n")
        if how != "slow":
            t.decoder = D.BPEDecoder() if kind == "herbert" else D.ByteLevel()
            i = t.token_to_id
            if kind in ("roberta", "bart"):
                t.post_processor = X.RobertaProcessing(("</s>", 2), ("<s>", 0))
            elif r.random() < 0.5:
                t.post_processor = r.choice(
                    [
                        X.ByteLevel(),
                        X.TemplateProcessing(single=f"{sp[0]} $A", pair="$A $B", special_tokens=[(sp[0], 0)]),
                    ]
                )
            if r.random() < 0.3:
                t.add_tokens(["foo bar", AddedToken("<js>", lstrip=True)])
            if r.random() < 0.2:
                t.enable_padding(direction="left", pad_id=1, pad_token=sp[-1])
            if r.random() < 0.2:
                t.enable_truncation(7, direction="left")
            if r.random() < 0.2:
                t.normalizer = N.Lowercase()
            t.save(d + "/tokenizer.json")
            if r.random() < 0.2:
                j = json.load(open(d + "/tokenizer.json"))
                j["model"]["merges"] = [x if isinstance(x, str) else " ".join(x) for x in j["model"]["merges"]]
                dump(d, "tokenizer.json", j)
    else:
        base = {k: sentence[k] for k in ("eos", "unk", "pad")} if kind == "t5" else sentence
        if kind == "deberta":
            base = bert
        if kind == "llama":
            base = {k: sentence[k] for k in ("bos", "eos", "unk")}
            cfg.update({k: r.random() < 0.5 for k in ("add_prefix_space", "legacy") if r.random() < 0.4})
        if kind in ("deberta", "xlnet"):
            cfg.update({k: r.random() < 0.5 for k in ("do_lower_case", "split_by_punct") if r.random() < 0.4})
        likes_bpe = 0.7 if kind == "llama" else 0 if kind == "barthez" else 0.1
        spm = r.choice([s for s in SPMS if r.random() < likes_bpe or "bpe" not in s] or SPMS)
        names_of_files = {"t5": "spiece.model", "xlnet": "spiece.model", "llama": "tokenizer.model", "deberta": "spm.model"}
        f = names_of_files.get(kind, "sentencepiece.bpe.model")
        if r.random() < 0.3 and kind in ("xlmr", "camembert", "barthez", "deberta"):
            cfg["add_prefix_space"] = r.random() < 0.5
        if kind.startswith("mbart") and r.random() < 0.4:
            cfg["src_lang"] = r.choice(["ar_AR", "zh_CN", "ru_RU"])
            cfg["tgt_lang"] = "en_XX"
        if kind == "t5" and r.random() < 0.4:
            cfg["extra_ids"] = r.choice([0, 5, 100])
        shutil.copy(spm, d + "/" + f)
        if how != "slow":
            c2 = {"tokenizer_class": names[kind][0]}
            dump(d, "tokenizer_config.json", c2)
            k = AutoTokenizer.from_pretrained(d)
            if r.random() < 0.4:
                k.add_tokens(["foo bar", AddedToken("<js>", lstrip=True)])
            if r.random() < 0.3:
                k.add_special_tokens({"extra_special_tokens": ["<s_menu>", "</s_menu>"]})
            k.save_pretrained(d + "/x")
            shutil.copy(d + "/x/tokenizer.json", d)
            if r.random() < 0.3:
                cfg = dict(json.load(open(d + "/x/tokenizer_config.json")), **cfg)
            shutil.rmtree(d + "/x")
            if how == "json":
                os.remove(d + "/" + f)
    dress(r, d, cfg, base, how != "slow")
    k = r.random()
    if k < 0.1 and model_type:
        del cfg["tokenizer_class"]
        dump(d, "config.json", {"model_type": model_type})
    elif k < 0.2:
        dump(
            d,
            "config.json",
            {
                "model_type": "vision-encoder-decoder",
                "encoder": {"model_type": "vit"},
                "decoder": {"model_type": "gpt2"},
            },
        )
    elif k < 0.25 and how != "slow":
        del cfg["tokenizer_class"]
    dump(d, "tokenizer_config.json", cfg)
    if r.random() < 0.03:
        os.remove(d + "/tokenizer_config.json")


for c in range(count):
    r = random.Random(seed * 100000 + c)
    d = f"{out}/{seed}_{c}"
    shutil.rmtree(d, ignore_errors=True)
    os.makedirs(d)
    try:
        case(r, d)
        t = AutoTokenizer.from_pretrained(d)
        g = golden(
            t,
            r,
            14,
            [
                "<x>",
                "<y z>",
                "foo",
                "Added",
                "éa",
                "<image>",
                "<add1>",
                "<at1>",
                "foo bar",
                "lower",
                "Upper",
                "<dec>",
                "Dec oder",
                "<js>",
                "<uds>",
                "<ctl>",
            ],
        )
        for _ in range(2):
            t2 = AutoTokenizer.from_pretrained(d)
            if any(t2(x["t"])["input_ids"] != x["ids"] for x in g["rows"]):
                g = {"error": "random"}
                break
    except BaseException as e:
        g = {"error": f"{type(e).__name__}: {e}"[:300]}
    json.dump(g, open(d + "/golden.json", "w"))
