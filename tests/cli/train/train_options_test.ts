import { assert, assertEquals, assertThrows } from "@std/assert";
import { OptionError } from "../../../mod.ts";
import { parseTable } from "../../../src/cli/_parse.ts";
import { checkTrainOptions, trainFlags, trainValued } from "../../../src/cli/train/train_options.ts";
import { commandHelp } from "../../../src/cli/usage.ts";

const parse = (line: string) => parseTable(line.split(" "), [...trainFlags, "help"], trainValued);
const check = (line: string) => {
  const { values, flags, problems } = parse(line);
  assertEquals(problems, []);
  checkTrainOptions({ values, flags });
};

Deno.test("train --help lists exactly the options that train takes", () => {
  const listed = [...commandHelp.train.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, name]) => name);
  assertEquals(listed.toSorted(), [...trainFlags, ...Object.keys(trainValued), "help"].sort());
  assert(commandHelp.train.split("\n").every((line) => line.length <= 104), "lines are short");
});

Deno.test("train takes numbers as people write them, and refuses others", () => {
  const of = (name: string, value: string) => parse(`--${name} ${value}`).problems.length === 0;
  for (const value of ["5e-5", "0.001", ".5", "1", "1E-4", "2.5e+1"]) assert(of("lr", value), value);
  for (const value of ["0", "0.0", "-1", "1e", "x", "e5", "0e5", ".", "1e400", "1e-400", "NaN", "Infinity"]) {
    assert(!of("lr", value), value);
  }
  for (const value of ["0", "0.1", "1e-2"]) assert(of("weight-decay", value), value);
  for (const value of ["-1", "1e400", "NaN"]) assert(!of("weight-decay", value), value);
  for (const value of ["0", "0.1", ".05"]) assert(of("label-smoothing", value), value);
  for (const value of ["1", "1.5", "-0.1"]) assert(!of("label-smoothing", value), value);
  for (const name of ["epochs", "steps", "batch", "accumulate", "lora", "eval-every", "patience", "max-length"]) {
    for (const value of ["0", "1.5", "-1", "many", "NaN"]) assert(!of(name, value), `${name} ${value}`);
  }
  assert(of("warmup", "0") && of("schedule", "cosine") && !of("schedule", "step"));
});

Deno.test("train says what is missing, and what excludes what", () => {
  check("--data a --output b --model c --revision d --epochs 3");
  check("--data a --output b --steps 3 --warmup 500"); // as in Transformers
  check("--resume --output b --backend ffi");
  const refused: [string, string][] = [
    ["--data a", "option --output is missing"],
    ["--output b", "option --data is missing"],
    ["--data a --output b --epochs 1 --steps 2", "--epochs and --steps exclude each other"],
    ["--data a --output b --revision d", "--revision needs --model"],
    ["--resume --output b --lr 1", "option --lr cannot be given with --resume"],
    ["--resume --output b --skip-broken", "option --skip-broken cannot be given with --resume"],
  ];
  for (const [line, message] of refused) assertThrows(() => check(line), OptionError, message);
});
