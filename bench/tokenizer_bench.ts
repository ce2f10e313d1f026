// Loading tokenizers and encoding 1 MB of text, cold (each word for the first time) and warm:
// `deno run -A bench/tokenizer_bench.ts`, or some cases only by their names after it. Where python3 (or $PYTHON) has tokenizers, its times in the same run stand beside.
import { AutoTokenizer } from "../src/tokenizer/mod.ts";

const root = new URL("../", import.meta.url);
const small = ["gpt2_bpe", "bert_uncased", "xlmr_spm", "donut_added"];

/** 1 MB of the project's own text. */
function sources(): string {
  const texts: string[] = [];
  const read = (folder: URL): void => {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      if (isDirectory) read(new URL(`${name}/`, folder));
      else if (/\.(ts|md)$/.test(name)) texts.push(Deno.readTextFileSync(new URL(name, folder)));
    }
  };
  for (const folder of ["src/", "backends/", "tests/scripts/"]) read(new URL(folder, root));
  const text = texts.join("\n");
  return text.repeat(Math.ceil(1e6 / text.length)).slice(0, 1e6);
}

/** A tokenizer.json as large as XLM-R's: 250,000 pieces, and `added` tokens besides as Donut has them. */
function large(text: string, added: number): object {
  const definition = JSON.parse(
    Deno.readTextFileSync(new URL("tests/fixtures/tokenizers/xlmr_spm/tokenizer.json", root)),
  );
  const words = [...new Set(text.match(/[A-Za-z]+/g))];
  const pieces = new Map<string, number>(definition.model.vocab);
  for (let i = 0; pieces.size < 250_000; i++) {
    const piece = words[i % words.length] + words[Math.floor(i / words.length) * 7 % words.length].slice(0, 4);
    if (!pieces.has(piece)) pieces.set(piece, -8 - i / 50_000);
  }
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false };
  const fields = Array.from({ length: added }, (_, i) => ({ id: pieces.size + i, content: `<s_field${i}>`, ...flags }));
  return {
    ...definition,
    added_tokens: [...definition.added_tokens, ...fields],
    model: { ...definition.model, vocab: [...pieces] },
  };
}

/** A tokenizer.json of a million merges, each of which makes a token of its own, and of as many pieces with scores. */
function million(kind: "merges" | "pieces"): object {
  const characters = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
  const tokens = [...characters];
  const merges: [string, string][] = [];
  for (let at = 0; merges.length < 1e6; at++) { // every token is followed by each character, the shortest first
    for (const character of characters) {
      if (merges.push([tokens[at], character]) > 1e6) break;
      tokens.push(tokens[at] + character);
    }
  }
  merges.length = 1e6;
  const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true };
  const whole = { version: "1.0", added_tokens: [], normalizer: null, post_processor: null };
  const settings = { unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, dropout: null };
  if (kind === "merges") {
    const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
    const model = { type: "BPE", ...settings, fuse_unk: false, byte_fallback: false, vocab, merges };
    return { ...whole, pre_tokenizer: { type: "Whitespace" }, decoder: null, model };
  }
  const vocab = [["<unk>", 0], ...tokens.map((token, id) => [token, -1 - id / 1e6])];
  const model = { type: "Unigram", unk_id: 0, vocab };
  return { ...whole, pre_tokenizer: metaspace, decoder: metaspace, model };
}

const python = `
import json, sys, time
from tokenizers import Tokenizer
folder, *names = sys.argv[1:]
text = open(folder + "/text.txt").read()
def timed(work):
    began = time.perf_counter(); result = work(); return result, (time.perf_counter() - began) * 1000
times = []
for name in names:
    tokenizer, load = timed(lambda: Tokenizer.from_file(f"{folder}/{name}/tokenizer.json"))
    times += [load] + [timed(lambda: tokenizer.encode(text))[1] for _ in range(2)]
print(json.dumps(times))
`;

const folder = await Deno.makeTempDir();
try {
  const text = sources();
  await Deno.writeTextFile(`${folder}/text.txt`, text);
  const names = [...small, "large_unigram", "large_added_tokens", "million_merges", "million_pieces"]
    .filter((name) => Deno.args.length === 0 || Deno.args.includes(name));
  for (const name of names) {
    await Deno.mkdir(`${folder}/${name}`);
    const content = small.includes(name)
      ? await Deno.readTextFile(new URL(`tests/fixtures/tokenizers/${name}/tokenizer.json`, root))
      : JSON.stringify(
        name.startsWith("million")
          ? million(name === "million_merges" ? "merges" : "pieces")
          : large(text, name === "large_unigram" ? 0 : 1500),
      );
    await Deno.writeTextFile(`${folder}/${name}/tokenizer.json`, content);
  }
  const ours: number[] = [];
  for (const name of names) {
    let began = performance.now();
    const lap = (): void => {
      ours.push(performance.now() - began);
      began = performance.now();
    };
    const tokenizer = await AutoTokenizer.fromPretrained(`${folder}/${name}`);
    lap();
    tokenizer.encode(text);
    lap();
    tokenizer.encode(text);
    lap();
  }
  const command = new Deno.Command(Deno.env.get("PYTHON") ?? "python3", {
    args: ["-c", python, folder, ...names],
    stderr: "null",
  });
  const output = await command.output().catch(() => undefined);
  const theirs: number[] = output?.success ? JSON.parse(new TextDecoder().decode(output.stdout)) : [];
  const cases = names.flatMap((name) =>
    ["load", "encode_1mb_cold", "encode_1mb_warm"].map((what) => `${what}_${name}`)
  );
  console.log(`${"case".padEnd(40)}${"Limner, ms".padStart(12)}${"Python, ms".padStart(12)}${"ratio".padStart(8)}`);
  cases.forEach((name, i) => {
    const [peer, ratio] = theirs[i] ? [theirs[i].toFixed(1), (ours[i] / theirs[i]).toFixed(2)] : ["-", "-"];
    console.log(`${name.padEnd(40)}${ours[i].toFixed(1).padStart(12)}${peer.padStart(12)}${ratio.padStart(8)}`);
  });
} finally {
  await Deno.remove(folder, { recursive: true });
}
