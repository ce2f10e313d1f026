// Loading tokenizers: broken files, settings spread over several files, saving, and the options of batches.
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigError, FormatError, HubError, LimnerError, OptionError } from "../../src/errors/mod.ts";
import { AutoTokenizer } from "../../src/tokenizer/mod.ts";

const fixtures = new URL("../fixtures/tokenizers/", import.meta.url);
const bad = new URL("../fixtures/bad/tokenizers/", import.meta.url);

/** A repository in memory. */
function repository(files: Record<string, string | object>) {
  const texts = new Map(
    Object.entries(files).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
  );
  return { name: "memory", readText: (file: string) => Promise.resolve(texts.get(file)) };
}

/** A word-level vocabulary of a few BERT tokens. */
const vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##c"].join("\n");

for (const { path, description } of JSON.parse(Deno.readTextFileSync(new URL("index.json", bad))).cases) {
  Deno.test(`AutoTokenizer.fromPretrained() refuses ${path}: ${description}`, async () => {
    const error = await assertRejects(() => AutoTokenizer.fromPretrained(new URL(`${path}/`, bad)));
    assertInstanceOf(error, LimnerError);
    assertStringIncludes((error as Error).message, path);
    assert(!(error as Error).message.includes("\n"));
  });
}

Deno.test("AutoTokenizer.fromPretrained() names a missing folder", async () => {
  await assertRejects(() => AutoTokenizer.fromPretrained(new URL("none/", bad)), HubError, "none");
});

Deno.test("AutoTokenizer.fromPretrained() refuses a tokenizer.json whose parts are malformed", async () => {
  const model = { type: "WordPiece", unk_token: "u", continuing_subword_prefix: "##", vocab: { u: 0, a: 1 } };
  const unigram = { type: "Unigram", unk_id: 0, vocab: [["u", 0], ["a", -1]] };
  const cases: [object | string, string][] = [
    ["[]", "it is an array, expected a JSON object"],
    [{}, "model"],
    [{ model: { ...model, vocab: {} } }, "is empty"],
    [{ model: { ...model, vocab: { u: 0, a: 0 } } }, "two tokens have id 0"],
    [{ model: { ...model, vocab: { u: 0, a: -1 } } }, 'token "a" has id -1'],
    [{ model: { ...unigram, unk_id: 2 } }, "unk_id is 2"],
    [{ model: { ...unigram, vocab: [["u"]] } }, "piece 0"],
    [{ model, added_tokens: [{ content: "x" }] }, "needs a content and an id"],
    [{ model, normalizer: { type: "Precompiled", precompiled_charsmap: "AAAAAA==" } }, "character map"],
    [{ model, decoder: "WordPiece" }, "decoder"],
    [{ model, post_processor: { type: "TemplateProcessing" } }, "its template is no list"],
  ];
  for (const [content, message] of cases) {
    const files = repository({ "tokenizer.json": content });
    await assertRejects(() => AutoTokenizer.fromPretrained(files), FormatError, message);
  }
});

Deno.test("AutoTokenizer.fromPretrained() names a vocab.json that is no object, and passes over a side that is none", async () => {
  for (const vocab of ["null", "3", "[]"]) {
    const files = repository({ "vocab.json": vocab, "merges.txt": "" });
    await assertRejects(() => AutoTokenizer.fromPretrained(files), FormatError, "memory/vocab.json");
  }
  const model = { type: "WordPiece", unk_token: "u", continuing_subword_prefix: "##", vocab: { u: 0, a: 1 } };
  const tokenizer = await AutoTokenizer.fromPretrained(
    repository({ "tokenizer.json": { model, padding: { direction: 1, pad_id: 0 } } }),
  );
  assertEquals(tokenizer.encode("a").inputIds, [1]);
});

Deno.test("special_tokens_map.json and added_tokens.json are respected", async () => {
  const tokenizer = await AutoTokenizer.fromPretrained(repository({
    "vocab.txt": vocabulary,
    "tokenizer_config.json": { tokenizer_class: "BertTokenizer", model_max_length: 4 },
    "special_tokens_map.json": { bos_token: "<start>", additional_special_tokens: ["<x>"] },
    "added_tokens.json": { "<y>": 9, "<z>": 8 },
  }));
  assertEquals(tokenizer.tokenToId("<z>"), 8);
  assertEquals(tokenizer.tokenToId("<y>"), 9);
  assertEquals(tokenizer.bosTokenId, 10);
  assertEquals(tokenizer.vocabularySize, 12);
  assertEquals(tokenizer.encode("a<y>bc<x>").tokens, ["[CLS]", "a", "<y>", "b", "##c", "<x>", "[SEP]"]);
  assertEquals(tokenizer.decode(tokenizer.encode("a<y>b<x>").inputIds, { skipSpecialTokens: true }), "a <y> b");
  // model_max_length is the length to cut to.
  assertEquals(tokenizer.encodeBatch(["a a a a"], { truncation: true }).inputIds, [[2, 5, 5, 3]]);
});

Deno.test("added_tokens_decoder gives tokens their ids and flags", async () => {
  const token = { content: "<t>", lstrip: true, rstrip: true, normalized: false, single_word: false, special: true };
  const tokenizer = await AutoTokenizer.fromPretrained(repository({
    "vocab.txt": vocabulary,
    "tokenizer_config.json": { tokenizer_class: "BertTokenizer", added_tokens_decoder: { 8: token } },
  }));
  assertEquals(tokenizer.encode("a <t> b", { addSpecialTokens: false }).inputIds, [5, 8, 6]);
  assertEquals(tokenizer.decode([5, 8, 6], { skipSpecialTokens: true }), "a b");
  assertEquals(tokenizer.allSpecialIds, [0, 1, 2, 3, 4]); // it has no role
});

Deno.test("encodeBatch() pads and cuts on the left where the config says so", async () => {
  const tokenizer = await AutoTokenizer.fromPretrained(repository({
    "vocab.txt": vocabulary,
    "tokenizer_config.json": { tokenizer_class: "BertTokenizer", padding_side: "left", truncation_side: "left" },
  }));
  const options = { padding: "max_length", truncation: true, maxLength: 4 } as const;
  assertEquals(tokenizer.encodeBatch(["a", "a b b"], options), {
    inputIds: [[0, 2, 5, 3], [2, 6, 6, 3]],
    attentionMask: [[0, 1, 1, 1], [1, 1, 1, 1]],
  });
  assertEquals(tokenizer.encodeBatch(["a", "a b"]).inputIds, [[2, 5, 3], [2, 5, 6, 3]]);
  assertEquals(tokenizer.encodeBatch(["a"], { padding: "max_length" }).inputIds, [[2, 5, 3]]);
  assertEquals(tokenizer.encodeBatch([]), { inputIds: [], attentionMask: [] });
  assertThrows(() => tokenizer.encodeBatch(["a"], { truncation: true, maxLength: 1 }), OptionError, "special tokens");
  assertThrows(() => tokenizer.encodeBatch(["a"], { maxLength: 0 }), OptionError, "maxLength");
});

Deno.test("encodeBatch() cannot pad without a pad token", async () => {
  const tokenizer = await AutoTokenizer.fromPretrained(new URL("gpt2_bpe/", fixtures));
  assertThrows(() => tokenizer.encodeBatch(["a", "a b"], { padding: "longest" }), OptionError, "no pad token");
});

Deno.test("decode() passes over ids outside of the vocabulary and gives no text for no ids", async () => {
  const tokenizer = await AutoTokenizer.fromPretrained(new URL("gpt2_bpe/", fixtures));
  const { inputIds } = tokenizer.encode("Hello world");
  assertEquals(tokenizer.decode([9999, ...inputIds, -1]), "Hello world");
  assertEquals(tokenizer.decode([]), "");
});

for (
  const name of [
    "gpt2_bpe_slow_files",
    "bert_cased_vocab_only",
    "xlmr_spm_model_only",
    "bertja_char_mecab",
    "donut_added",
    "xlnet_bare",
    "llama_bare",
    "deberta_v2_words_bare",
    "barthez_bare",
    "herbert_bare",
  ]
) {
  Deno.test(`savePretrained() keeps all of ${name}`, async () => {
    const golden = JSON.parse(Deno.readTextFileSync(new URL(`${name}/golden.json`, fixtures)));
    const folder = await Deno.makeTempDir();
    try {
      await (await AutoTokenizer.fromPretrained(new URL(`${name}/`, fixtures))).savePretrained(`${folder}/saved`);
      assertEquals([...Deno.readDirSync(`${folder}/saved`)].map((entry) => entry.name).sort(), [
        ...(name.startsWith("bertja") ? [] : ["tokenizer.json"]),
        "tokenizer_config.json",
        ...(name.startsWith("bertja") ? ["vocab.txt"] : []),
      ]);
      const tokenizer = await AutoTokenizer.fromPretrained(`${folder}/saved`);
      assertEquals(tokenizer.vocabularySize, golden.vocab_size);
      for (const { text, ids } of golden.encode) assertEquals(tokenizer.encode(text).inputIds, ids, text);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("a BertJapaneseTokenizer that needs a dictionary is refused by its setting", async () => {
  const config = { tokenizer_class: "BertJapaneseTokenizer", word_tokenizer_type: "mecab" };
  const files = repository({ "vocab.txt": vocabulary, "tokenizer_config.json": config });
  await assertRejects(() => AutoTokenizer.fromPretrained(files), ConfigError, "word_tokenizer_type");
});

Deno.test("a LlamaTokenizer whose tokenizer.json is of bytes is built as the file says", async () => {
  const content = JSON.parse(Deno.readTextFileSync(new URL("gpt2_bpe/tokenizer.json", fixtures)));
  const config = { tokenizer_class: "LlamaTokenizer" };
  const tokenizer = await AutoTokenizer.fromPretrained(
    repository({ "tokenizer.json": content, "tokenizer_config.json": config }),
  );
  const gpt2 = await AutoTokenizer.fromPretrained(new URL("gpt2_bpe/", fixtures));
  assertEquals(tokenizer.encode("Hello world").inputIds, gpt2.encode("Hello world").inputIds);
});

Deno.test("a SentencePiece model is told by its name where nothing names a class", async () => {
  for (const [name, file] of [["llama_bare", "tokenizer.model"], ["deberta_v2_bare", "spm.model"]] as const) {
    const bytes = Deno.readFileSync(new URL(`${name}/${file}`, fixtures));
    const tokenizer = await AutoTokenizer.fromPretrained({
      name: "memory",
      readText: () => Promise.resolve(undefined),
      readBytes: (asked: string) => Promise.resolve(asked === file ? bytes : undefined),
    });
    const golden = JSON.parse(Deno.readTextFileSync(new URL(`${name}/golden.json`, fixtures)));
    for (const { text, ids_no_special } of golden.encode.slice(0, 20)) {
      assertEquals(tokenizer.encode(text, { addSpecialTokens: false }).inputIds, ids_no_special, text);
    }
  }
});

Deno.test("a byte-level vocabulary without a config is told from GPT-2's by its tokens", async () => {
  const read = (name: string) => Deno.readTextFileSync(new URL(name, fixtures));
  for (const [name, ends] of [["gpt2_bpe_slow_files", false], ["roberta_bpe_slow_files", true]] as const) {
    const files = { "vocab.json": read(`${name}/vocab.json`), "merges.txt": read(`${name}/merges.txt`) };
    const tokenizer = await AutoTokenizer.fromPretrained(repository(files));
    assertEquals(tokenizer.encode("Hello").tokens[0] === "<s>", ends);
  }
});
