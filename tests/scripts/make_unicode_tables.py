"""Writes src/tokenizer/pipeline/_unicode_tables.ts: which characters the Rust library takes for marks and punctuation, and which
it leaves as they are, where its Unicode is older than JavaScript's. Needs tokenizers and deno.

    python tests/scripts/make_unicode_tables.py
"""

import json
import pathlib
import subprocess

from tokenizers import normalizers, pre_tokenizers

ROOT = pathlib.Path(__file__).parents[2]
CHARACTERS = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]


def normalize(normalizer, character):
    return normalizer.normalize_str(character)


bert = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
clean = normalizers.BertNormalizer(**{**bert, "clean_text": True})
strip = normalizers.BertNormalizer(**{**bert, "strip_accents": True})
punctuation = pre_tokenizers.Punctuation()
digits = pre_tokenizers.Digits(individual_digits=True)


def splits(pre_tokenizer):
    return lambda character: len(pre_tokenizer.pre_tokenize_str(f"a{character}")) == 2


# Name: what the table says, JavaScript's test, and whether Rust agrees.
TABLES = {
    "nonspacing": ("Marks that BERT's normaliser strips", r"/^\p{Mn}/u.test(c)", lambda c: normalize(strip, c) == ""),
    "marks": (
        "Marks that StripAccents strips",
        r"/^\p{M}/u.test(c)",
        lambda c: normalize(normalizers.StripAccents(), c) == "",
    ),
    "controls": (
        "Characters that BERT's normaliser takes out",
        r"/^(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\ufffd]/u.test(c)",
        lambda c: normalize(clean, c) == "",
    ),
    "punctuation": (
        "Punctuation",
        r"/^[\p{P}\u0021-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007e]/u.test(c)",
        splits(punctuation),
    ),
    "numbers": ("Numbers", r"/^\p{N}/u.test(c)", splits(digits)),
    "composed": (
        "Characters that NFD and NFKD take apart",
        r'c.normalize("NFD") !== c',
        lambda c: normalize(normalizers.NFD(), c) != c,
    ),
    "compatible": (
        "Characters that NFKC and NFKD put others in the place of",
        r'c.normalize("NFKC") !== c',
        lambda c: normalize(normalizers.NFKC(), c) != c,
    ),
}


def javascript(test):
    code = f"""
      const found = [];
      for (let code = 0; code < 0x110000; code++) {{
        if (code >= 0xd800 && code <= 0xdfff) continue;
        const c = String.fromCodePoint(code);
        if ({test}) found.push(code);
      }}
      console.log(JSON.stringify(found));"""
    output = subprocess.run(["deno", "eval", "--quiet", code], check=True, capture_output=True, text=True).stdout
    return set(json.loads(output))


def ranges(codes):
    """As the inside of a character class, 0-9: runs of code points."""
    runs = []
    for code in sorted(codes):
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    spell = lambda code: f"\\u{{{code:x}}}"
    return "".join(spell(a) if a == b else f"{spell(a)}-{spell(b)}" for a, b in runs)


lines = [
    "// Where the Rust library's Unicode is older than JavaScript's: characters that only one of them takes for what the name",
    "// says, as the insides of character classes. Made by tests/scripts/make_unicode_tables.py.",
    "",
    "/** Characters that only JavaScript, and that only Rust takes for something. */",
    "export type Differences = readonly [notInRust: string, onlyInRust: string];",
    "",
    "/** A character class as Rust has it, for a regular expression with flag v. */",
    "export function inRust(characters: string, [not, also]: Differences): string {",
    "  return `[[[${characters}]--[${not}]]${also}]`;",
    "}",
]
for name, (what, test, rust) in TABLES.items():
    ours, theirs = javascript(test), {ord(c) for c in CHARACTERS if rust(c)}
    lines += ["", f"/** {what}. */", f"export const {name}: Differences = ["]
    lines += [f'  "{ranges(codes)}",'.replace("\\", "\\\\") for codes in (ours - theirs, theirs - ours)]
    lines += ["];"]
path = ROOT / "src/tokenizer/pipeline/_unicode_tables.ts"
path.write_text("\n".join(lines) + "\n")
subprocess.run(["deno", "fmt", "--quiet", str(path)], check=True)
