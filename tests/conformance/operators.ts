// Every operator against PyTorch: values and gradients, on any backend. The cases are data (tests/fixtures/operators), and
// how near a result must be is derived from each (bounds.ts).
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
import { operators } from "../../src/operators/mod.ts";
import type { Tensor } from "../../src/tensor/mod.ts";
import type { Accuracy } from "./accuracy.ts";
import type { Bounded } from "./bounds.ts";
import { assertWithin } from "./closeness.ts";
import { execute } from "./execute.ts";
import { evaluate, type Grants, roundedTo32 } from "./oracle.ts";

/** A line of the cases' file: an operator with the names of its operands' tensors and of what PyTorch makes of them. */
interface CaseEntry {
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

/** An operator's values, or its gradients: a graph, what it is given and what PyTorch makes of it. */
export interface GoldenCase {
  readonly name: string;
  readonly graph: Graph;
  readonly operands: Readonly<Record<string, Tensor>>;
  readonly sizes: Sizes;
  readonly goldens: Readonly<Record<string, Tensor>>;
  /** Set where the operands were rounded to float32 after PyTorch had used them: the ceiling that this needs. */
  readonly roundedCeiling?: number;
}

/** What rounding the operands does to a result: the numbers are large, and what counts is their small differences. */
const roundedCeilings: Readonly<Record<string, number>> = { layer_normalization_large_mean: 3e-5 };

const folder = new URL("../fixtures/operators/", import.meta.url);

/** Whether an operator's result is a state. */
const writes = (operator: string): boolean => (operators[operator as "add"] as Operator).writesState !== undefined;

/** The entry's operator on inputs, or first on a state that it writes, named as in the entry. */
function buildValues(
  { name, operator, attributes, inputs, shapes }: CaseEntry,
  tensors: ReadonlyMap<string, Tensor>,
): Graph {
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

/** The gradients by inputs, from a cotangent that is an input too. */
function buildGradients(forward: Graph, names: readonly string[]): Graph {
  return differentiate(
    forward,
    "output 0",
    names.map((name) => forward.inputs.get(name)!),
    (builder, _, gradients) => gradients.forEach((value, i) => builder.output(`gradient ${names[i]}`, value!)),
    {
      cotangent: (builder) => {
        const { dataType, shape } = forward.outputs.get("output 0")!;
        return builder.input("cotangent", dataType, shape);
      },
    },
  );
}

/** The values of an entry, and its gradients if it has any. */
function casesOf(entry: CaseEntry, tensors: ReadonlyMap<string, Tensor>): GoldenCase[] {
  const { name, operator, inputs, outputs, cotangent, gradients, sizes = {} } = entry;
  const find = (names: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(names).map(([key, tensor]) => [key, tensors.get(tensor)!]));
  const roundedCeiling = roundedCeilings[name];
  const graph = buildValues(entry, tensors);
  const results = Object.fromEntries(outputs.map((tensor, i) => [writes(operator) ? "state" : `output ${i}`, tensor]));
  const values = { name, graph, operands: find(inputs), sizes, goldens: find(results), roundedCeiling };
  if (!gradients) return [values];
  return [values, {
    ...values,
    name: `${name}, gradients`,
    graph: buildGradients(graph, Object.keys(gradients)),
    operands: find({ ...inputs, cotangent: cotangent! }),
    goldens: find(Object.fromEntries(Object.entries(gradients).map(([key, tensor]) => [`gradient ${key}`, tensor]))),
  }];
}

/** The files of cases. */
export const caseFiles = ["operators", "extra"] as const;

/** The cases of a file. */
export async function readCases(file: typeof caseFiles[number]): Promise<GoldenCase[]> {
  const { cases }: { cases: CaseEntry[] } = JSON.parse(await Deno.readTextFile(new URL(`${file}.json`, folder)));
  const tensors = await readTensors(new URL(`${file}.safetensors`, folder));
  return cases.flatMap((entry) => casesOf(entry, tensors));
}

/** What the oracle makes of a case: its own numbers, and the largest error that a right device may make of each. */
export function evaluateCase(
  { graph, operands, sizes, roundedCeiling }: GoldenCase,
  grants: Grants = {},
): Record<string, Bounded> {
  const given = Object.entries(operands).map(([key, x]) => [key, roundedCeiling ? roundedTo32(x) : x]);
  return evaluate(graph, Object.fromEntries(given), { sizes, grants });
}

/**
 * Check every operator's values and gradients on a backend.
 *
 * @param name The backend's name, for the tests' names.
 * @param load Loads it.
 * @param files The files of cases. @default all
 */
export function operatorConformance(
  name: string,
  load: () => Promise<Backend>,
  { ceiling, grants, roundedCeiling = 0 }: Accuracy,
  files: readonly (typeof caseFiles[number])[] = caseFiles,
): void {
  for (const file of files) {
    Deno.test(`${name} computes and differentiates the operators of ${file}.json as PyTorch`, async (t) => {
      await using backend = await load();
      for (const each of await readCases(file)) {
        await t.step(each.name, async () => {
          const results = await execute(backend, each.graph, each.operands, each.sizes);
          const most = Math.max(ceiling, each.roundedCeiling ? Math.max(each.roundedCeiling, roundedCeiling) : 0);
          const exact = evaluateCase(each, grants);
          for (const [key, value] of Object.entries(each.goldens)) {
            assertWithin(results[key], { value, error: exact[key].error }, most, key);
          }
        });
      }
      assertEquals(backend.counters.liveHandles, 0);
    });
  }
}
