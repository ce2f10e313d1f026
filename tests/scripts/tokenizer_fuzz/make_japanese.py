"""Makes repositories of BertJapaneseTokenizer: `python make_japanese.py FOLDER SEED COUNT`; needs fugashi, ipadic and
unidic-lite."""

import os, sys, json, random, shutil

os.environ["HF_HUB_OFFLINE"] = "1"
from transformers import AutoTokenizer
from texts import BASE, text, WORDS
from golden import golden

out, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chars = sorted(set("".join(BASE)) | set("ぁあぃいうえおアイウエオ漢字日本語東京１２３ＡＢＣ。、！？…"))
for c in range(count):
    r = random.Random(seed * 100000 + c)
    d = f"{out}/{seed}_{c}"
    shutil.rmtree(d, ignore_errors=True)
    os.makedirs(d)
    cs = [x for x in chars if r.random() < 0.8 and x.strip() and x.isprintable()]
    v = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + cs
    words = r.choice(["basic", "basic", "mecab"])
    sub = "character"
    if r.random() < 0.3:
        words, sub = "basic", "wordpiece"
        v += ["##" + x for x in cs if len(x.encode()) < 3] + ["the", "quick", "##ing", "##n"]
    open(d + "/vocab.txt", "w").write("\n".join(v) + "\n")
    cfg = {
        "tokenizer_class": "BertJapaneseTokenizer",
        "word_tokenizer_type": words,
        "subword_tokenizer_type": sub,
        "do_lower_case": r.random() < 0.4,
    }
    if words == "mecab":
        cfg["mecab_kwargs"] = {"mecab_dic": r.choice(["ipadic", "unidic_lite"])}
    if r.random() < 0.3:
        cfg["do_word_tokenize"] = True
    if r.random() < 0.3:
        cfg["model_max_length"] = 20
    if r.random() < 0.2:
        cfg["clean_up_tokenization_spaces"] = True
    if r.random() < 0.3:
        cfg["extra_special_tokens"] = ["<s_menu>", "foo"][: r.randint(1, 2)]
    if r.random() < 0.3:
        cfg["added_tokens_decoder"] = {
            str(i): dict(
                content=t,
                single_word=False,
                lstrip=r.random() < 0.2,
                rstrip=r.random() < 0.2,
                normalized=r.random() < 0.3,
                special=r.random() < 0.7,
            )
            for i, t in zip([0, 1, 2, 3, 4, len(v), len(v) + 1], v[:5] + ["<dec>", "Added"])
        }
    elif r.random() < 0.3:
        json.dump({"<at1>": len(v), "tok": len(v) + 1}, open(d + "/added_tokens.json", "w"))
    if r.random() < 0.2:
        json.dump(
            {
                "mask_token": "[MASK]",
                "unk_token": {
                    "content": "[UNK]",
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                    "single_word": False,
                },
            },
            open(d + "/special_tokens_map.json", "w"),
        )
    json.dump(cfg, open(d + "/tokenizer_config.json", "w"))
    try:
        t = AutoTokenizer.from_pretrained(d)
        g = golden(t, r, 20, ["<s_menu>", "foo", "<dec>", "Added", "<at1>", "tok"])
    except BaseException as e:
        g = {"error": f"{type(e).__name__}: {e}"[:300]}
    json.dump(g, open(d + "/golden.json", "w"))
