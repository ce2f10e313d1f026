"""Writes tests/fixtures/token2json.json: tagged text, well formed and not, and what DonutProcessor makes of it.

    python tests/scripts/make_token2json.py
"""

import json
import pathlib
import random

from transformers.models.donut.processing_donut import DonutProcessor

ADDED = ["<yes/>", "<no/>", "<advert is/>"]
PIECES = (
    "<s_a> </s_a> <s_b> </s_b> <s_menu> </s_menu> <S_A> </S_a> <s_k.x*> </s_k.x*> <sep/> <sep/> <yes/> <no/> <other/> "
    "Tea 12.5 <s_ > </s_ < /> <s_> </s_> <s_1> </s_1> <s___proto__> </s___proto__> $& $1 \ufeff \u0130 \u017f <\u017f_a>"
).split() + ["<advert is/>", " ", "\n", "\u00a0", "\x1c", "< s_"]


class Processor:
    token2json = DonutProcessor.token2json


def nested(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.3:
        return rng.choice(["Tea", "<yes/>", "12 <sep/> 13", "", " x ", "<other/>"])
    text = ""
    for _ in range(rng.randint(1, 3)):
        key = rng.choice(["a", "b", "menu", "nm"])
        text += f"<s_{key}>{nested(rng, depth - 1)}" + (f"</s_{key}>" if rng.random() < 0.93 else "")
        text += rng.choice(["<sep/>", " ", "", "", "", "", ""])
    return text


def main() -> None:
    rng = random.Random(7)
    texts = [nested(rng, 3) for _ in range(150)]
    texts += ["".join(rng.choices(PIECES, k=rng.randint(0, 12))) for _ in range(250)]
    cases = [[text, Processor().token2json(text, added_vocab=ADDED)] for text in texts]
    path = pathlib.Path(__file__).parent.parent / "fixtures" / "token2json.json"
    lines = ",\n".join(json.dumps(case) for case in cases)
    path.write_text(f'{{"added": {json.dumps(ADDED)}, "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
