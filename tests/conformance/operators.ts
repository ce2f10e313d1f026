// Every operator against PyTorch: values and gradients, on any backend. The cases are data (tests/fixtures/operators).
import { assertEquals } from "@std/assert";
import { readTensors } from "./read_golden.ts";
import { differentiate } from "../../src/gradient/mod.ts";
import {
  type Backend,
  type Graph,
  GraphBuilder,
  type Operator,
  type Shape,
  type Sizes,
  type Value,
} from "../../src/graph/mod.ts";
import { movement, operators } from "../../src/operators/mod.ts";
import { isFloat, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose } from "./closeness.ts";
import { execute } from "./execute.ts";

/** One operator with its operands and what PyTorch makes of them. */
interface OperatorCase {
  readonly name: string;
  readonly operator: keyof typeof operators;
  readonly attributes: Record<string, unknown>;
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: readonly string[];
  readonly cotangent?: string;
  readonly gradients?: Readonly<Record<string, string>>;
  readonly sizes?: Sizes;
  readonly shapes?: Readonly<Record<string, Shape>>;
}

/** The operators that copy: their results are exact. */
const exact = new Set<string>([
  ...Object.keys(movement),
  "gather",
  "split",
  "roll",
  "triangular",
  "where",
  "scatter",
  "cacheAppend",
  "cacheReorder",
]);

/** Cases whose operands were rounded to float32 after PyTorch had used them: what that alone moves the result by. */
const roundedOperands: Readonly<Record<string, number>> = { layer_normalization_large_mean: 3e-5 };

const folder = new URL("../fixtures/operators/", import.meta.url);

async function readCases(name: string): Promise<[OperatorCase[], Map<string, Tensor>]> {
  const { cases } = JSON.parse(await Deno.readTextFile(new URL(`${name}.json`, folder)));
  return [cases, await readTensors(new URL(`${name}.safetensors`, folder))];
}

/** Whether an operator's result is a state. */
const writes = (operator: string): boolean => (operators[operator as "add"] as Operator).writesState !== undefined;

/** The case's operator on inputs, or first on a state that it writes, named as in the case. */
function buildCase({ name, operator, attributes, inputs, shapes }: OperatorCase, tensors: Map<string, Tensor>): Graph {
  const builder = new GraphBuilder(name);
  const operands = Object.entries(inputs).map(([key, tensor]): Value => {
    const { dataType, shape } = tensors.get(tensor)!;
    return key === "state"
      ? builder.state(key, dataType, shapes?.[key] ?? shape)
      : builder.input(key, dataType, shapes?.[key] ?? shape);
  });
  const outputs = builder.add(operators[operator] as Operator, operands, attributes);
  if (!writes(operator)) outputs.forEach((value, i) => builder.output(`output ${i}`, value));
  return builder.build();
}

async function checkValues(backend: Backend, entry: OperatorCase, tensors: Map<string, Tensor>, tolerance: number) {
  const operands = Object.fromEntries(Object.entries(entry.inputs).map(([key, name]) => [key, tensors.get(name)!]));
  const results = await execute(backend, buildCase(entry, tensors), operands, entry.sizes);
  entry.outputs.forEach((name, i) => {
    const actual = results[writes(entry.operator) ? "state" : `output ${i}`];
    const expected = tensors.get(name)!;
    const isExact = exact.has(entry.operator) || !isFloat(expected.dataType);
    assertClose(actual, expected, isExact ? 0 : tolerance, `output ${i}`);
  });
}

async function checkGradients(backend: Backend, entry: OperatorCase, tensors: Map<string, Tensor>, tolerance: number) {
  const names = Object.keys(entry.gradients!);
  const forward = buildCase(entry, tensors);
  const graph = differentiate(
    forward,
    "output 0",
    names.map((name) => forward.inputs.get(name)!),
    (builder, _, gradients) => gradients.forEach((value, i) => builder.output(`gradient ${names[i]}`, value!)),
    (builder) => {
      const { dataType, shape } = forward.outputs.get("output 0")!;
      return builder.input("cotangent", dataType, shape);
    },
  );
  const operands = Object.fromEntries(Object.entries(entry.inputs).map(([key, name]) => [key, tensors.get(name)!]));
  const results = await execute(
    backend,
    graph,
    { ...operands, cotangent: tensors.get(entry.cotangent!)! },
    entry.sizes,
  );
  for (const name of names) {
    assertClose(
      results[`gradient ${name}`],
      tensors.get(entry.gradients![name])!,
      tolerance,
      `the gradient of ${name}`,
    );
  }
}

/**
 * Check every operator's values and gradients on a backend.
 *
 * @param name The backend's name, for the tests' names.
 * @param load Loads it.
 * @param tolerance The largest error allowed, relative to the largest value of each result; copies are exact.
 */
export function operatorConformance(name: string, load: () => Promise<Backend>, tolerance: number): void {
  for (const file of ["operators", "extra"]) {
    Deno.test(`${name} computes and differentiates the operators of ${file}.json as PyTorch`, async (t) => {
      const [cases, tensors] = await readCases(file);
      await using backend = await load();
      for (const entry of cases) {
        const allowed = Math.max(tolerance, roundedOperands[entry.name] ?? 0);
        await t.step(entry.name, () => checkValues(backend, entry, tensors, allowed));
        if (entry.gradients) {
          await t.step(`${entry.name}, gradients`, () => checkGradients(backend, entry, tensors, allowed));
        }
      }
      assertEquals(backend.counters.liveHandles, 0);
    });
  }
}
