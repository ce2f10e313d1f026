"""Makes tests/fixtures/nougat.json: pages as Nougat writes them, well and badly, and what Python's
NougatTokenizer.post_process_generation makes of each, with and without fix_markdown.

    python tests/scripts/make_nougat.py [FILE COUNT]      (needs transformers, nltk and python-Levenshtein)

nltk's list of words is not installed for it: Python then ends a text with a space.
"""

import json
import os
import random
import sys
from pathlib import Path

os.environ["NLTK_DATA"] = "/nonexistent"
from transformers import NougatTokenizer  # noqa: E402

OUT = Path(__file__).resolve().parents[1] / "fixtures" / "nougat.json"
WORDS = ("the model page attention of we show Figure Table results naïve Öl straße 数学 İstanbul is trained on 1,234 3.5 "
         "(see Eq. 4) e.g. and\tor x_i ^2 \\alpha 10% A B C. ？ don't end! why? S. A. B. a\u00a0b \u2028 𝑥 IV vi 12").split(" ")
NAMES = "Smith, J. and Müller, K. Lee Chen et al. Proc. of the International Conference on Learning ICML Nature".split(" ")


def words(r, least=1, most=14):
    return " ".join(r.choice(WORDS) for _ in range(r.randint(least, most)))


def reference(r, number=None):
    entry = " ".join(r.choice(NAMES) for _ in range(r.randint(4, 12)))
    return f"* [{number if number is not None else r.randint(1, 99)}] {entry} {r.randint(1990, 2023)}."


def made_up(r):
    """References that are all nearly the same, as a model writes them that has nothing to read."""
    entry = " ".join(r.choice(NAMES) for _ in range(r.randint(5, 9)))
    other = entry.replace("and", "und") if r.random() < 0.5 else entry
    blank = r.random() < 0.3
    lines = []
    for number in range(r.randint(10, 30)):
        lines.append(f"* [{number}] {r.choice([entry, entry, other])} {r.randint(1990, 2023)}.")
        if blank:
            lines.append("")
    return "\n".join(([reference(r)] if r.random() < 0.5 else []) + (["## References", ""] if r.random() < 0.5 else [])
                     + lines + ([f"* [{number + 1}] {entry[:r.randint(3, len(entry))]} new {words(r)}"]
                                if r.random() < 0.5 else []) + [reference(r) for _ in range(r.randint(0, 3))])


def listing(r):
    mark, other = r.choice("-*"), r.choice("-*")
    numbers = ["1.1", "1.1.2", "iv", "v.i.x", "a", "2", "1.10", "İ.i", ""]
    return f"{mark} " + f" {other} ".join(f"{r.choice(numbers)} {words(r, 0, 5)}" for _ in range(r.randint(1, 5)))


def table(r):
    columns = "".join(r.choice("lcr ") for _ in range(r.randint(0, 4)))
    cells = " & ".join(words(r, 0, 2) for _ in range(r.randint(1, 3))) if r.random() < 0.7 else r.choice(["", " & ", "& & "])
    return r.choice([
        f"\\begin{{table}} \\begin{{tabular}}{{{columns}}} {cells} \\\\ \\end{{tabular}} \\end{{table}} Table {r.randint(1, 9)}",
        f"{words(r)} \\begin{{tabular}}{{{columns}}} {cells} \\end{{tabular}}",
        f"\\begin{{tabular}}{{{columns}}}  {cells}\\\\ \\end{{tabular}}",
        "\\begin{tabular}{l l}  & \\\\ \\end{tabular}", "\\begin{tabular}{}\n\n\\end{tabular}",
        "\\begin{tabular}{l} " * 17, "& " * 401, "\\multicolumn{2}{c} " * 61, "\\begin{array}[]{l l} a & b \\end{array}",
        "\\begin{tabular}{clr ll}  & & \\\\ \\end{tabular}",
    ])


def heading(r):
    return "#" * r.randint(1, 4) + " " + r.choice([
        words(r), f"{r.randint(1, 9)} {words(r)}", "IV", "iv.", "3.1", "", "References", f"{r.randint(1, 9)}. {words(r, 30, 40)}",
        "Results\n", "xi v"])


def formula(r):
    equation, number = r"\[x = \bm{y} + " + words(r, 1, 3) + r"\]", f"({r.choice(['1', '2.3', '4a', 'x', '٣'])})"
    return r.choice([
        f"{number} {equation}", f"{equation} {number}", f"{equation} {number} {equation}", r"\mbox{\boldmath$a$} and \mbox{ \boldmath$b$}",
        r"{\\bm v} \. next", "the _x_, (_a__bc_) of _y_; and 3_z_4 _n__i_.", f"```\n  {words(r)}\n``` and ```{words(r)}```",
    ])


def other(r):
    return r.choice([
        "* [leftmargin=*]", "[MISSING_PAGE_FAIL:1]", "[MISSING_PAGE_EMPTY:3]", f"Footnote {r.randint(1, 9)}: footnotetext: {words(r)}",
        f"Footnote 2: thanks:\n\n{words(r)}\n", f"a[FOOTNOTE:Footnote 3]{words(r)}[ENDFOOTNOTE]b",
        "* [7] " + "A. B. C. " * r.randint(4, 7) + words(r), "* [8][] Miller", "**S. A. B.**\n\n**S. A. B.**\n", ".", ".  ",
        "see http://example.com/a_b?c=d&e=f. Or ftp://x-y.org, https://a.b/(c)", "## References\n\n[MISSING_PAGE_POST:4]", "#", "# 1", "## [",
        "x", "Figure 3: " + words(r), "**" + words(r) + "**", "\n\n\n\n", "\u3000", "* [9]", "- * ", "a - b", "* one * two three",
    ])


def repeated(r):
    part = r.choice([words(r, 4, 12), words(r, 8, 20) + ". " + words(r, 3, 8), "İ" + words(r, 6, 12), "ΑΣ. " + words(r, 6, 12)])
    return (part + r.choice([" ", ". ", "\n", ""])) * r.randint(2, 9) + part[:r.randint(0, len(part))]


def page(r):
    kinds = [words, words, words, heading, listing, table, formula, other, reference]
    blocks = [r.choice(kinds)(r) for _ in range(r.randint(0, 7))]
    if r.random() < 0.25:
        blocks.insert(r.randint(0, len(blocks)), made_up(r))
    if r.random() < 0.25:
        blocks.append(repeated(r))
    text = "".join(block + r.choice(["\n\n", "\n", " ", "\n\n\n"]) for block in blocks)
    return text[r.randint(0, 3) if r.random() < 0.1 else 0:] if r.random() < 0.6 else text.strip()


HAND = ["", " ", "\n", "A", "A\n", ",", "x", "# Title", "# Title\n# 2", "word", "end.", "}", "Table 1", "\n\nx", "x\n\n", "**b**",
        "- a", "* a b - c d", "* one - two three - four five", "\\begin{x}", "a" * 200, "ab" * 100 + ".", "Ünïcode 𝒳" * 20]


def main():
    file, count = (Path(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (OUT, 150)
    tokenizer = NougatTokenizer()
    draw = random.Random(14 if count == 150 else count)
    rows = []
    for text in HAND + [page(draw) for _ in range(count)]:
        plain, fixed = (tokenizer.post_process_generation(text, fix_markdown=fix) for fix in (False, True))
        rows.append([text, plain, None if fixed == plain else fixed])
    file.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")
    print(len(rows), "pages,", sum(fixed is not None for _, _, fixed in rows), "fixed,", file.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
