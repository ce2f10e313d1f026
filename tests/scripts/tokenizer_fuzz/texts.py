"""Texts that are hard on tokenizers: all of Unicode, joined emoji, control characters, and strings near special tokens."""

import random

BASE = """The quick brown fox jumps over the lazy dog. It's 3 o'clock, isn't it? They've said we're 1,234.56 late!
Hello, world! don't do not I'm he's you'll she'd café naïve résumé Ünïcödé straße ﬁne ﬂow İstanbul ıssız ΣΊΣΥΦΟΣ σίγμα.
これは日本語の文章です。東京タワー、カタカナ、ﾊﾝｶｸ。中文字符测试，你好世界！한국어 텍스트 안녕하세요
مرحبا بالعالم שלום עולם नमस्ते दुनिया สวัสดีชาวโลก Привет мир! Ёлка й Γειά σου Κόσμε
emoji 👩‍👩‍👧‍👦 👍🏽 🇩🇪 ❤️ 🏳️‍🌈 e\u0301 n\u0303 a\u0308\u0323 ① ② ½ ² ㎏ Ⅷ ﷺ x² \u00a0nbsp \u3000ideographic
def f(x):\n\treturn x**2  # comment\n\n  if a != b: print("a<b>c") <s> </s> <pad> <unk> [CLS] [SEP] [MASK] <|endoftext|> <mask>
$100 50% #tag @user http://example.com/a?b=c&d=e a_b-c foo.bar 2024-01-02T03:04:05Z (x) [y] {z} ... — – “quoted” ‘single’ «guillemets»
""".split("\n")
WORDS = " ".join(BASE).split()
SPECIALS = [
    "<s>",
    "</s>",
    "<pad>",
    "<unk>",
    "<mask>",
    "[CLS]",
    "[SEP]",
    "[PAD]",
    "[UNK]",
    "[MASK]",
    "<|endoftext|>",
    "< s>",
    "<s",
    "</s>x",
    "x<s>y",
    " <mask> ",
    "<mask>  ",
    "en_XX",
    "ar_AR",
    "<s_menu>",
    "</s_menu>",
    "<sep/>",
    "<extra_id_0>",
    "<Added>",
    "added",
    "ADDED",
    "foo bar",
    "foo",
    " lead",
    "trail ",
    "ÀB",
    "àb",
    "[START_REF]",
]
RANGES = [
    (0, 0x7F),
    (0x80, 0x2FF),
    (0x300, 0x36F),
    (0x370, 0x5FF),
    (0x600, 0x6FF),
    (0x900, 0xDFF),
    (0xE00, 0x10FF),
    (0x1100, 0x11FF),
    (0x1E00, 0x1FFF),
    (0x2000, 0x206F),
    (0x2070, 0x2BFF),
    (0x3000, 0x30FF),
    (0x3100, 0x33FF),
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF),
    (0xFB00, 0xFDFF),
    (0xFE00, 0xFFFF),
    (0x10000, 0x10FFF),
    (0x1D400, 0x1D7FF),
    (0x1F000, 0x1FAFF),
    (0x20000, 0x2FFFF),
    (0xE0000, 0xE01EF),
    (0xF0000, 0xF0FFF),
]


def ch(r):
    a, b = r.choice(RANGES)
    while True:
        c = r.randint(a, b)
        if not 0xD800 <= c <= 0xDFFF:
            return chr(c)


def word(r):
    k = r.random()
    if k < 0.5:
        return r.choice(WORDS)
    if k < 0.6:
        return r.choice(WORDS).upper()
    if k < 0.7:
        return "".join(ch(r) for _ in range(r.randint(1, 6)))
    if k < 0.75:
        return r.choice(WORDS)[:3] + r.choice("\u0301\u0308\u200d\ufe0f\u0323\u3099\u200b\u00ad") + r.choice(WORDS)[-2:]
    if k < 0.85:
        return str(r.randint(0, 10 ** r.randint(1, 9)))
    return r.choice(WORDS) + r.choice(WORDS)


SEP = [" "] * 12 + [
    "  ",
    "   ",
    "\n",
    "\t",
    "\r\n",
    "\n\n",
    "",
    "\u00a0",
    "\u2003",
    "\u3000",
    "\u0085",
    "\ufeff",
    "\x00",
    "\x1f",
    "\u2028",
    ".",
    ", ",
    "'",
    "''",
    "-",
    "_",
]


def text(r, added=()):
    k = r.random()
    if k < 0.02:
        return ""
    if k < 0.04:
        return r.choice(
            [
                " ",
                "  ",
                "\n",
                "\t \n",
                "\u3000",
                "\x00",
                "\ufeff",
                "\u0301",
                "'",
                "''",
                "▁",
                "▁▁ a",
                "##a",
                "Ġ",
                "<0x41>",
                "\u200d",
                "\ufffd",
            ]
        )
    if k < 0.08:
        return "".join(ch(r) for _ in range(r.randint(1, 40)))
    if k < 0.1:
        return r.choice(["a", "ab", "é", "漢", "👍", "x1", "A"]) * r.randint(1, 400)
    if k < 0.13:
        return " " * r.randint(1, 20) + word(r) + " " * r.randint(0, 20)
    out = ""
    pool = SPECIALS + list(added) * 3
    for _ in range(r.randint(1, 14)):
        out += r.choice(pool) if r.random() < 0.22 else word(r)
        out += r.choice(SEP)
    if r.random() < 0.2:
        out = r.choice(SEP) + out
    if r.random() < 0.1:
        out += r.choice(BASE)
    return out
