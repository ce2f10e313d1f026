// What a stranger's tokenizer files may cost: patterns that backtrack without end, nesting, and counts.
import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { AutoTokenizer, LimitError, LimnerError, type Tokenizer } from "../../mod.ts";
import { withinTime } from "../../src/limits/mod.ts";
import { processorTime } from "../process_cost.ts";

type Json = Record<string, unknown>;

/** 40 times the same character, and patterns that try all ways to divide them, none of which matches. */
const text = "a".repeat(40);
const endless = ["(a+)+$b", "(a|a)*c", "(?:a?){40}a{41}", "^(?:(?=(a+))a+)+b", "(?:.*)*x", "((?:a|aa)+)+z"];

const base: Json = {
  version: "1.0",
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  model: { type: "WordLevel", vocab: { u: 0, a: 1, [text]: 2 }, unk_token: "u" },
};
const added = (content: string, id: number) => ({ content, id, normalized: true, special: false });

function load(change: Json | string, limits?: Json): Promise<Tokenizer> {
  const content = typeof change === "string" ? change : JSON.stringify({ ...base, ...change });
  const readText = (file: string) => Promise.resolve(file === "tokenizer.json" ? content : undefined);
  return AutoTokenizer.fromPretrained({ name: "org/model", readText }, { limits });
}

/** What something ended with, within two seconds of the processor. */
async function endOf(work: () => unknown, most = 2000): Promise<unknown> {
  const before = processorTime();
  const end = await Promise.try(work).catch((error) => error);
  assert(processorTime() - before < most, `${processorTime() - before} ms of the processor`);
  if (end instanceof Error) {
    assertInstanceOf(end, LimnerError);
    assert(end.message.includes("org/model/tokenizer.json"), end.message);
  }
  return end;
}

const replace = (Regex: string) => ({ type: "Replace", pattern: { Regex }, content: "" });
const split = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });

Deno.test("a pattern that backtracks without end is stopped, wherever it stands", async () => {
  const places: Record<string, (pattern: string) => Json> = {
    normalizer: (pattern) => ({ normalizer: replace(pattern) }),
    "normalizer in a sequence": (p) => ({
      normalizer: { type: "Sequence", normalizers: [{ type: "NFC" }, replace(p)] },
    }),
    "normalizer on an added token": (p) => ({ normalizer: replace(p), added_tokens: [added(text, 3)] }),
    pre_tokenizer: (pattern) => ({ pre_tokenizer: split(pattern) }),
    "pre_tokenizer in a sequence": (p) => ({ pre_tokenizer: { type: "Sequence", pretokenizers: [split(p)] } }),
    decoder: (pattern) => ({ decoder: replace(pattern) }),
    "decoder in a sequence": (pattern) => ({ decoder: { type: "Sequence", decoders: [replace(pattern)] } }),
  };
  for (const [place, change] of Object.entries(places)) {
    let stopped = 0;
    for (const pattern of endless) {
      const limits = { patternMilliseconds: 50 };
      const tokenizer = await endOf(() => load(change(pattern), limits)) as Tokenizer;
      const encoded = tokenizer instanceof Error ? tokenizer : await endOf(() => tokenizer.encode(text));
      const decoded = tokenizer instanceof Error ? tokenizer : await endOf(() => tokenizer.decode([2]));
      for (const end of new Set([encoded, decoded])) {
        if (!(end instanceof LimitError)) continue;
        assertEquals(end.details.limit, "patternMilliseconds");
        assert(end.message.includes(place.split(" ")[0]), end.message);
        stopped++;
      }
      if (tokenizer instanceof Error) continue;
      assertEquals(tokenizer.tokenToId("a"), 1); // it can be used again
    }
    assert(stopped >= 3, `${place}: ${stopped} of ${endless.length} stopped`);
  }
});

Deno.test("the time for patterns is a second by default, and counts for each text", async () => {
  const tokenizer = await load({ normalizer: replace(endless[0]) });
  // Four times that where others have the processor at first.
  const error = await endOf(() => tokenizer.encode(text), 6000);
  assertInstanceOf(error, LimitError);
  assertEquals(error.details.most, 1000);
  assertEquals(tokenizer.encode("a").inputIds, [1]);
});

Deno.test("a text that would grow without bound is refused", async () => {
  const longer = { type: "Replace", pattern: { String: "a" }, content: "a".repeat(1 << 16) };
  for (const key of ["normalizer", "decoder"]) {
    const steps = { type: "Sequence", [`${key}s`]: new Array(60).fill(longer) };
    const tokenizer = await load({ [key]: steps });
    const work = () => key === "decoder" ? tokenizer.decode([1]) : tokenizer.encode("a");
    const error = await Promise.try(work).catch((error) => error);
    assertInstanceOf(error, LimnerError, String(error));
    assert(/Replace of the (normalizer|decoder): it makes more than 67108864 characters/.test(error.message));
  }
});

Deno.test("a pattern that is malformed is refused by its place", async () => {
  const cases: [string, unknown][] = [
    ["normalizer", { type: "Replace", pattern: { Regex: "(" }, content: "" }],
    ["normalizer", { type: "Replace", pattern: { Regex: "(".repeat(2e5) + ")".repeat(2e5) }, content: "" }],
    ["normalizer", { type: "Replace", pattern: { Regex: "a" }, content: 3 }],
    ["pre_tokenizer", { type: "Split", pattern: { Regex: "a{2,1}" }, behavior: "Isolated" }],
    ["pre_tokenizer", { type: "Split", pattern: 7, behavior: "Isolated" }],
    ["decoder", { type: "Replace", pattern: {}, content: "" }],
  ];
  for (const [key, part] of cases) {
    const error = await endOf(() => load({ [key]: part })) as LimnerError;
    assertInstanceOf(error, LimnerError);
    assert(new RegExp(`(pattern|content) of its ${key}`).test(error.message), error.message);
  }
});

Deno.test("nesting is bounded by its depth, in each place", async () => {
  const deep = 2e5;
  const sequences = (key: string) => `{"type":"Sequence","${key}":[`.repeat(deep) + "]}".repeat(deep);
  const places = {
    normalizer: sequences("normalizers"),
    pre_tokenizer: sequences("pretokenizers"),
    post_processor: sequences("processors"),
    decoder: sequences("decoders"),
    added_tokens: "[".repeat(deep) + "]".repeat(deep),
    anything: '{"a":"}","b":'.repeat(deep) + "1" + "}".repeat(deep),
  };
  for (const [key, value] of Object.entries(places)) {
    const rest = JSON.stringify({ ...base, [key]: undefined }).slice(1);
    const error = await endOf(() => load(`{"${key}":${value},${rest}`)) as LimnerError;
    assertInstanceOf(error, LimnerError);
    assert(error.message.includes("nested more than 128 deep"), error.message);
  }
  const shallow = "[".repeat(120) + "]".repeat(120);
  assertEquals((await load(`{"more":${shallow},${JSON.stringify(base).slice(1)}`)).tokenToId("a"), 1);
});

Deno.test("time that others have the processor for does not count against patterns, up to four times the limit", () => {
  // A thread that waits stands for one that does not get the processor.
  const wait = (milliseconds: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
  const limited = (milliseconds: number) =>
    withinTime(() => wait(milliseconds), { task: "Cannot wait", parts: "clock" }, { patternMilliseconds: 200 });
  assertEquals(limited(600), "timed-out");
  const error = assertThrows(() => limited(10_000), LimitError);
  assertEquals(error.details.amount, 200);
});

Deno.test("300,000 added tokens are loaded, found and saved; more than limits.maxTokens are refused", async () => {
  const many = { added_tokens: Array.from({ length: 300_000 }, (_, i) => added(`<${i}>`, 3 + i)) };
  const tokenizer = await load(many);
  assertEquals(tokenizer.vocabularySize, 300_003);
  assertEquals(tokenizer.encode("<299999>").inputIds, [300_002]);
  const vocab = { type: "WordLevel", unk_token: "u", vocab: { u: 0, a: 1, b: 2, c: 3 } };
  for (const [key, change] of Object.entries({ "model.vocab": { model: vocab }, added_tokens: many })) {
    const error = await endOf(() => load(change, { maxTokens: 3 }));
    assertInstanceOf(error, LimitError);
    assertEquals([error.details.limit, error.details.key], ["maxTokens", key]);
  }
});

Deno.test("long runs of bytes and of unknown characters take no stack", async () => {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
  const vocab = ["<unk>", ...bytes].map((piece) => [piece, -1]);
  const model = { type: "Unigram", unk_id: 0, byte_fallback: true, vocab };
  const tokenizer = await load({ model, decoder: { type: "ByteFallback" } });
  const { inputIds } = tokenizer.encode("é".repeat(150_000));
  assertEquals(inputIds.length, 300_000);
  assertEquals(tokenizer.decode(inputIds.slice(1)).length, 299_999); // the first byte is missing: none of them is text
});
