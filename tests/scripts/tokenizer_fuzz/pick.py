"""Picks repositories that cover the most in the least space: `python pick.py CASES.json FOLDER...`."""

import json, glob, os, base64, sys


def features(d):
    f = set()
    g = json.load(open(d + "/golden.json"))
    if "error" in g:
        return None, None, None
    files = {}
    for n in sorted(os.listdir(d)):
        if n in ("golden.json", "saved"):
            continue
        b = open(d + "/" + n, "rb").read()
        if n.endswith(".model"):
            files[n] = {"base64": base64.b64encode(b).decode()}
        else:
            files[n] = (
                json.dumps(json.loads(b), ensure_ascii=False, separators=(",", ":"))
                if n.endswith(".json")
                else b.decode()
            )
        f.add("file:" + n)
    f.add("cls:" + g["cls"])
    if "tokenizer.json" in files:
        j = json.loads(files["tokenizer.json"])

        def walk(p, k):
            if not p:
                f.add(k + ":none")
                return
            f.add(
                k
                + ":"
                + p["type"]
                + ":"
                + ":".join(
                    f"{a}={b}"
                    for a, b in sorted(p.items())
                    if isinstance(b, (bool,)) or a in ("behavior", "prepend_scheme")
                )
            )
            for s in ("normalizers", "pretokenizers", "decoders", "processors"):
                for x in p.get(s, []):
                    walk(x, k)

        for k in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
            walk(j[k], k)
        m = j["model"]
        f.add(
            "model:"
            + m["type"]
            + str(
                [(a, b) for a, b in m.items() if b is True or a in ("continuing_subword_prefix", "end_of_word_suffix")]
            )
        )
        for a in j["added_tokens"]:
            f.add(
                "added:" + "".join(k[0] for k in ("single_word", "lstrip", "rstrip", "normalized", "special") if a[k])
            )
        if j.get("padding"):
            f.add("padding")
        if j.get("truncation"):
            f.add("truncation")
    if "tokenizer_config.json" in files:
        c = json.loads(files["tokenizer_config.json"])
        for k, v in c.items():
            f.add("cfg:" + k + ("" if not isinstance(v, bool) else str(v)))
        f.add("how:" + g["cls"] + str("tokenizer.json" in files))
    return f, files, g


cands = []
for d in sorted(sum((glob.glob(f"{folder}/*") for folder in sys.argv[2:]), [])):
    f, files, g = features(d)
    if f is None:
        continue
    if "mecab" in json.dumps(files):
        continue
    size = len(json.dumps(files).encode())
    if size > 22000:
        continue
    cands.append((d, f, files, g, size))
covered = set()
out = {}
total = 0
while True:
    left = [x for x in cands if x[0] not in out]
    if not left:
        break
    best = max(
        ((len(f - covered) / (size + 3000), d, f, files, g, size) for d, f, files, g, size in left), key=lambda x: x[0]
    )
    if best[0] == 0:
        break
    _, d, f, files, g, size = best
    rows = sorted(g["rows"], key=lambda r: abs(len(r["t"]) - 90))[:5]
    exp = dict(
        size=g["size"],
        roles=g["roles"],
        special=g["special"],
        rows=[dict(text=r["t"], ids=r["ids"], plain=r["plain"], decoded=[r["dec"][1], r["dec"][2]]) for r in rows],
        random=dict(ids=g["random"][0]["ids"], decoded=[g["random"][0]["dec"][1], g["random"][0]["dec"][2]]),
    )
    e = dict(files=files, expected=exp)
    s = len(json.dumps(e, ensure_ascii=False).encode())
    if total + s > 235000:
        break
    out[d] = e
    total += s
    covered |= f
print(len(out), total, len(covered), len(set().union(*[c[1] for c in cands])), list(out))
open(sys.argv[1], "w").write(
    "{\n"
    + ",\n".join(f'"{d}":' + json.dumps(e, ensure_ascii=False, separators=(",", ":")) for d, e in out.items())
    + "\n}\n"
)
