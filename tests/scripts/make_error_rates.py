"""Error rates by jiwer, for tests/training/report/error_rates_test.ts.

python make_error_rates.py > ../fixtures/training/error_rates.json   (jiwer 4.0.0)
"""
import json
import random

import jiwer

random.seed(1)
hand = [
    (["the cat sat"], ["the cat sat"]),
    (["the cat sat"], ["the bat sat on"]),
    (["abc", "a much longer line"], ["", "a much longer lime"]),
    (["naïve café"], ["naive cafe"]),
    (["nai\u0308ve"], ["na\u00efve"]),
    (["😀 ok 👩‍🚀"], ["😁 ok 👩"]),
    (["  two  spaces \t here\n"], ["two spaces here"]),
    (["one\ttab"], ["one tab"]),
    (["a\u00a0b c\u2003d"], ["a b c d"]),
    (["x\u0085 y\u001c"], ["x y"]),
    (["\ufeffmark"], ["mark"]),
    (["日本語の文"], ["日本の文章"]),
    (["short"], ["a very much longer hypothesis than the reference was"]),
]
letters = "ab c é😀\n"
for _ in range(40):
    count = random.randint(1, 5)
    text = lambda least: "".join(random.choice(letters) for _ in range(random.randint(least, 14)))
    hand.append((["a" + text(0) for _ in range(count)], [text(0) for _ in range(count)]))
print(json.dumps([
    {"references": r, "hypotheses": h, "cer": jiwer.cer(r, h), "wer": jiwer.wer(r, h)} for r, h in hand
], separators=(",", ":")))
