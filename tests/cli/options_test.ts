import { assertEquals, assertStringIncludes } from "@std/assert";
import { nearest } from "../../src/cli/_nearest_word.ts";
import { oneLine } from "../../src/cli/console.ts";
import { parseOptions } from "../../src/cli/options.ts";
import { help } from "../../src/cli/usage.ts";

const problemsOf = (...args: string[]) => parseOptions(args).problems;

Deno.test("parseOptions() reads every option", () => {
  const { options, problems } = parseOptions([
    ..."--model folder --revision v1 --token-file token --tokenizer words --processor shape --max-pixels 9 --page 3 --backend=webgpu --dtype q8 --device cuda:1 --low-memory --max-new-tokens 12 --beams 3 --sample --seed 5 --task docvqa --question why? --min-confidence 0.25 --attention out.png --json --verbose a.png - 7"
      .split(" "),
  ]);
  assertEquals(problems, []);
  assertEquals(options, {
    pictures: ["a.png", "-", "7"],
    recursive: false,
    output: undefined,
    retryFailed: false,
    model: "folder",
    revision: "v1",
    tokenFile: "token",
    offline: false,
    allowPrivate: false,
    tokenizer: "words",
    processor: "shape",
    maxPixels: 9,
    page: 3,
    backend: "webgpu",
    dtype: "q8",
    device: "cuda:1",
    lowMemory: true,
    maxNewTokens: 12,
    beams: 3,
    sample: true,
    seed: 5,
    stream: false,
    prompt: undefined,
    document: true,
    task: "docvqa",
    question: "why?",
    minConfidence: 0.25,
    attention: "out.png",
    json: true,
    verbose: true,
    help: false,
    version: false,
  });
});

Deno.test("parseOptions() fills in what is not given", () => {
  const { options, problems } = parseOptions(["a.png"]);
  assertEquals(problems, []);
  assertEquals(options.backend, "auto");
  assertEquals([options.model, options.maxNewTokens, options.json], [undefined, undefined, false]);
});

Deno.test("parseOptions() takes what follows -- for pictures", () => {
  assertEquals(parseOptions(["--json", "--", "--help", "-x.png"]).options.pictures, ["--help", "-x.png"]);
});

Deno.test("parseOptions() names an unknown option and the nearest known one", () => {
  assertEquals(problemsOf("--bakend", "ffi", "a.png"), ["there is no option --bakend; did you mean --backend?"]);
  assertEquals(problemsOf("--max=5", "a.png"), ["there is no option --max; did you mean --max-new-tokens?"]);
  assertEquals(problemsOf("--quantum", "a.png"), ["there is no option --quantum"]);
  assertEquals(problemsOf("--no-json", "a.png"), ["there is no option --no-json"]);
});

Deno.test("parseOptions() names every wrong option at once", () => {
  assertEquals(problemsOf("--bakend", "ffi", "--max-new-tokens", "many", "a.png"), [
    "there is no option --bakend; did you mean --backend?",
    "option --max-new-tokens is many, and a whole number from 1 was expected",
  ]);
});

Deno.test("parseOptions() refuses a value for what takes none", () => {
  assertEquals(problemsOf("--json=false", "a.png"), ["option --json takes no value, and was given false"]);
  assertEquals(problemsOf("--verbose", "--", "--json=1"), []);
});

Deno.test("parseOptions() refuses options that contradict each other", () => {
  assertStringIncludes(problemsOf("--seed", "3", "a.png").join(), "--seed needs --sample");
  assertStringIncludes(problemsOf("--stream", "--json", "a.png").join(), "exclude each other");
  assertStringIncludes(problemsOf("--stream", "--beams", "2", "a.png").join(), "exclude each other");
  assertStringIncludes(problemsOf("--stream", "--min-confidence", "0.5", "a.png").join(), "exclude each other");
  assertStringIncludes(problemsOf("--document", "--min-confidence", "0.5", "a.png").join(), "needs --json");
  assertEquals(problemsOf("--document", "--json", "--min-confidence", "0.5", "a.png"), []);
  assertStringIncludes(problemsOf("--stream", "--task", "x", "a.png").join(), "--stream and --document exclude");
  assertStringIncludes(problemsOf("--prompt", "x", "--question", "y", "a.png").join(), "leave --task and --question");
  assertEquals(problemsOf("--prompt", "x", "--document", "a.png"), []);
  assertEquals(problemsOf("--stream", "--beams", "1", "--sample", "a.png"), []);
  assertStringIncludes(problemsOf("--revision", "v1", "a.png").join(), "need --model NAME");
  assertStringIncludes(
    problemsOf("--model", "a/b", "--offline", "--token-file", "t", "a.png").join(),
    "exclude each other",
  );
});

Deno.test("parseOptions() takes one folder with --recursive, and what goes with it", () => {
  const folder = ["--recursive", "pictures", "--output"];
  for (const output of ["out.jsonl", "a b/out.CSV", "out.parquet"]) assertEquals(problemsOf(...folder, output), []);
  assertEquals(parseOptions([...folder, "out.jsonl", "--retry-failed"]).options.retryFailed, true);
  assertStringIncludes(problemsOf(...folder, "out.txt").join(), "--output is out.txt, and a file's name that ends in");
  assertStringIncludes(problemsOf("--recursive", "pictures").join(), "--recursive needs --output");
  assertStringIncludes(problemsOf("--output", "out.csv", "a.png").join(), "--output needs --recursive");
  assertStringIncludes(problemsOf("--retry-failed", "a.png").join(), "--retry-failed needs --recursive");
  assertStringIncludes(problemsOf(...folder, "o.csv", "more").join(), "was given 2 folders, and one was expected");
  assertStringIncludes(problemsOf(...folder, "o.csv", "--stream").join(), "excludes --stream");
  assertStringIncludes(problemsOf(...folder, "o.csv", "--min-confidence", "1").join(), "ends in .jsonl");
});

Deno.test("parseOptions() refuses values that an option does not take", () => {
  for (const value of ["0", "-3", "1.5", "1e3", "12345678901", "Infinity"]) {
    assertStringIncludes(problemsOf(`--max-new-tokens=${value}`, "a.png").join(), `--max-new-tokens is ${value}`);
  }
  assertStringIncludes(problemsOf("--backend", "cuda", "a.png").join(), "is cuda, and one of auto, ffi, webgpu");
  assertEquals(problemsOf("a.png", "--model"), [
    "option --model has no value, and a model's folder, address or name on the Hub was expected",
  ]);
  assertEquals(problemsOf("--model", "--json", "a.png"), [
    "option --model has no value, and a model's folder, address or name on the Hub was expected",
  ]);
});

Deno.test("parseOptions() takes only a PNG's name for --attention", () => {
  for (const file of ["out.png", "a b/OUT.PNG", "./x.png"]) assertEquals(problemsOf("--attention", file, "a.png"), []);
  for (const file of ["out.jpg", "out", ".png", "folder/.png"]) {
    assertStringIncludes(problemsOf("--attention", file, "a.png").join(), `--attention is ${file}, and a file's name`);
  }
});

Deno.test("parseOptions() refuses a command line without a picture, or with standard input twice", () => {
  assertEquals(problemsOf(), ["no picture was given"]);
  assertEquals(problemsOf("--json"), ["no picture was given"]);
  assertEquals(problemsOf("--help"), []);
  assertEquals(problemsOf("-h"), []);
  assertEquals(problemsOf("--version"), []);
  assertEquals(problemsOf("-", "-"), ["standard input (-) was given twice, and it can be read once"]);
});

Deno.test("--help lists exactly the options that parseOptions() takes", () => {
  const listed = [...help.matchAll(/^ {2}(--[a-z-]+)/gm)].map((match) => match[1]);
  for (const option of listed) {
    const message = problemsOf(option, "1", "a.png").join();
    assertEquals(message.includes("there is no option"), false, `${option}: ${message}`);
  }
  assertEquals(listed.sort(), [
    "--allow-private",
    "--attention",
    "--backend",
    "--beams",
    "--device",
    "--document",
    "--dtype",
    "--help",
    "--json",
    "--low-memory",
    "--max-new-tokens",
    "--max-pixels",
    "--min-confidence",
    "--model",
    "--offline",
    "--output",
    "--page",
    "--processor",
    "--prompt",
    "--question",
    "--recursive",
    "--retry-failed",
    "--revision",
    "--sample",
    "--seed",
    "--stream",
    "--task",
    "--token-file",
    "--tokenizer",
    "--verbose",
    "--version",
  ]);
});

Deno.test("nearest() finds a mistyped or shortened word, and nothing for a strange one", () => {
  const words = ["json", "verbose", "model", "max-new-tokens"];
  assertEquals(nearest("jsn", words), "json");
  assertEquals(nearest("verbsoe", words), "verbose");
  assertEquals(nearest("max-tokens", words), "max-new-tokens");
  assertEquals(nearest("mod", words), "model");
  assertEquals(nearest("x", words), undefined);
  assertEquals(nearest("temperature", words), undefined);
});

Deno.test("oneLine() turns line breaks into single spaces", () => {
  assertEquals(oneLine(" a \r\n\n  b\nc\u2028d  e\n"), "a b c d  e");
});
