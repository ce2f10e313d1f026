"""What Python makes of texts and ids with a tokenizer."""

import warnings

from texts import text

warnings.simplefilter("ignore")
ROLES = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"]


def golden(tok, r, ntexts=24, added=()):
    g = {}
    n = len(tok)
    g["size"] = n
    g["roles"] = {k: getattr(tok, k + "_token_id") for k in ROLES}
    g["special"] = sorted(set(tok.all_special_ids))
    g["addedSpecial"] = sorted(i for i, t in tok.added_tokens_decoder.items() if t.special)
    g["clean"] = tok.clean_up_tokenization_spaces
    g["sides"] = [tok.padding_side, tok.truncation_side]
    ts = [text(r, added) for _ in range(ntexts)]
    rows = []

    def decs(ids):
        return [
            tok.decode(ids, skip_special_tokens=s, clean_up_tokenization_spaces=c)
            for s in (False, True)
            for c in (False, True)
        ]

    for t in ts:
        a = tok(t)
        b = tok(t, add_special_tokens=False)
        rows.append(
            dict(
                t=t,
                ids=a["input_ids"],
                mask=a["attention_mask"],
                plain=b["input_ids"],
                tokens=tok.convert_ids_to_tokens(a["input_ids"]),
                dec=decs(a["input_ids"]),
            )
        )
    g["rows"] = rows
    rnd = []
    for _ in range(10):
        ids = [r.randrange(n) for _ in range(r.randint(1, 25))]
        rnd.append(dict(ids=ids, dec=decs(ids)))
    g["random"] = rnd
    big = [n + 5] + [r.randrange(n) for _ in range(3)] + [n + 100000]
    try:
        g["beyond"] = dict(ids=big, text=tok.decode(big))
    except Exception as e:
        g["beyond"] = dict(ids=big, error=type(e).__name__)
    ids = list(range(n)) if n < 1500 else sorted(r.sample(range(n), 1500))
    g["single"] = dict(ids=ids, t=[tok.decode([i]) for i in ids], tok=tok.convert_ids_to_tokens(ids))
    bt = ts[:5]
    batches = []
    for _ in range(6):
        kw = {}
        p = r.choice([False, "longest", "max_length", True])
        if p:
            kw["padding"] = p
        if r.random() < 0.7:
            kw["truncation"] = r.choice([True, "longest_first"])
        if r.random() < 0.7:
            kw["max_length"] = r.choice([1, 2, 3, 4, 5, 7, 12, 30])
        if r.random() < 0.3:
            kw["add_special_tokens"] = False
        try:
            o = tok(bt, **kw)
            batches.append(dict(kw=kw, ids=o["input_ids"], mask=o["attention_mask"]))
        except BaseException as e:
            batches.append(dict(kw=kw, error=f"{type(e).__name__}: {e}"[:200]))
    g["batchTexts"] = bt
    g["batches"] = batches
    g["cls"] = type(tok).__name__
    return g
