// How the products and gathers of a program read a weight: which layouts it is held in, and in which parts, since a binding may
// not be as large as a weight.
import { type NamedLeaf, type Node, parameterOperator, type Value } from "../../../src/graph/mod.ts";
import type { AttributesOf } from "../../../src/operators/mod.ts";
import type { BlockEncoding } from "../../../src/weights/mod.ts";
import type { MatrixWeights } from "../kernels/matrix_weights.ts";
import type { PanelWeights } from "../kernels/panel_matmul.ts";
import {
  bitsOf,
  type BlockLayout,
  bytesOfOutput,
  matrixDepth,
  type MatrixLayout,
  type NumberStorage,
  outputRanges,
  type PanelBlockLayout,
  panelDepth,
  type PanelLayout,
  panelRanges,
  type RowsLayout,
  wordsOfOutput,
} from "../weights/layout.ts";
import type { Planner } from "./planner.ts";
import { isContiguous, type Storage, wholeView } from "./view.ts";

/** Products with more inputs than this do not read packed weights, whose loops must stay short. */
const maxInputs = 60_000;

/** A matrix that is a parameter. */
export interface StoredMatrix {
  readonly name: string;
  readonly outputs: number;
  readonly inputs: number;
  /** Whether it is stored as [outputs, inputs]. */
  readonly byOutput: boolean;
}

/** Outputs of a matrix in a layout, each a binding. */
export type WeightPart = PanelPart | RowsLayout | MatrixLayout | BlockLayout;

/** Outputs of a matrix in panels, each a binding. */
export type PanelPart = PanelLayout | PanelBlockLayout;

/** The parts in which a product reads its weight; none where it reads it as it is stored. */
export function weightPartsOf(planner: Planner, node: Node): readonly WeightPart[] {
  const matrix = matrixOf(planner, node);
  return matrix ? partsOf(planner, matrix) : [];
}

/** The matrix that a product reads packed; undefined where it reads it as it is stored. */
export function matrixOf(planner: Planner, node: Node): StoredMatrix | undefined {
  const byOutput = (node.attributes as AttributesOf<"linear">).weightLayout !== "in_out";
  const view = planner.storedView(node.inputs[1]);
  const { storage } = view;
  const [first, second] = view.shape as number[];
  const [outputs, inputs] = byOutput ? [first, second] : [second, first];
  const isPacked = storage.kind === "weights" && storage.layout.kind === "raw" && planner.isPacked(storage.name) &&
    isContiguous(view) && view.offset === 0 && inputs <= maxInputs;
  return isPacked ? { name: storage.name, outputs, inputs, byOutput } : undefined;
}

/** The parts of a table whose rows are gathered; none where it is read as it is stored, in one binding. */
export function tablePartsOf(planner: Planner, table: Value): readonly WeightPart[] {
  if (table.node.operator !== parameterOperator) return [];
  for (const node of planner.uses.of(table)) {
    const parts = node.operator.name === "linear" && node.inputs[1] === table ? weightPartsOf(planner, node) : [];
    if (parts.length > 0 && matrixOf(planner, node)!.byOutput) return parts;
  }
  const { name } = table.node.attributes as NamedLeaf;
  const [outputs, ...block] = table.shape as number[];
  const inputs = block.reduce((a, b) => a * b, 1);
  const matrix = { name, outputs, inputs, byOutput: true };
  const isNarrow = table.rank === 2 && planner.isPacked(name) &&
    (encodingOf(planner, matrix) !== undefined || planner.options.numbers(name) === "float16");
  if (isNarrow) return partsOf(planner, matrix);
  const rows = rowParts(planner, matrix);
  return rows.length > 1 ? rows : [];
}

/** The blocks that a matrix is held in, if they lie along its inputs. */
export function encodingOf(planner: Planner, { name, byOutput }: StoredMatrix): BlockEncoding | undefined {
  const encoding = planner.options.encoding(name);
  return encoding && (encoding.axis === 1) === byOutput ? encoding : undefined;
}

function partsOf(planner: Planner, matrix: StoredMatrix): readonly WeightPart[] {
  const { outputs, inputs, byOutput, name } = matrix;
  const { maxBinding } = planner.options;
  const encoding = encodingOf(planner, matrix);
  if (encoding) {
    const shape = byOutput ? [outputs, inputs] : [inputs, outputs];
    if (readsPanels(planner, encoding)) {
      return panelRanges(outputs, inputs, maxBinding, encoding.bits)
        .map((part) => ({ kind: "panel codes", ...part, shape, encoding }));
    }
    const layout = { kind: "codes", shape, encoding } as const;
    return outputRanges(outputs, bytesOfOutput(layout), maxBinding).map((part) => ({ ...layout, ...part }));
  }
  const storage = planner.options.numbers(name);
  if (readsPanels(planner, storage)) {
    return panelRanges(outputs, inputs, maxBinding, bitsOf(storage))
      .map((part) => ({ kind: "panels", ...part, outputs, inputs, byOutput, storage }));
  }
  // As it is stored: no copy is held.
  if (byOutput && inputs % matrixDepth === 0 && storage === "float32") return rowParts(planner, matrix);
  return outputRanges(outputs, 4 * wordsOfOutput({ inputs, storage }), maxBinding)
    .map((part) => ({ kind: "matrix", ...part, outputs, inputs, byOutput, storage }));
}

function rowParts(planner: Planner, { outputs, inputs }: StoredMatrix): RowsLayout[] {
  return outputRanges(outputs, 4 * inputs, planner.options.maxBinding)
    .map((part) => ({ kind: "rows", ...part, width: inputs }));
}

/** Whether products read weights in panels: as texels whatever they are, where a turn of the loop is of one block; else float32. */
export function readsPanels({ profile }: Planner, storage: NumberStorage | BlockEncoding): boolean {
  if (!profile.texels) return !profile.gpu && storage === "float32";
  return typeof storage === "string" || storage.block % panelDepth === 0;
}

/** Whether a part is in panels. */
export function isInPanels(part: WeightPart): part is PanelPart {
  return part.kind === "panels" || part.kind === "panel codes" || part.kind === "panel scales";
}

/** A part in panels as kernels read it. */
export function panelWeights(name: string, part: PanelPart): PanelWeights {
  const { from, to } = part;
  const view = (layout: PanelPart, width: number) =>
    wholeView({ kind: "weights", name, layout }, "float32", [to - from, width]);
  if (part.kind === "panels") return { words: view(part, part.inputs), storage: part.storage };
  const { encoding, shape } = part;
  const inputs = shape[encoding.axis];
  return {
    words: view({ ...part, kind: "panel codes" }, inputs),
    scales: view({ ...part, kind: "panel scales" }, inputs / encoding.block),
    storage: encoding,
  };
}

/** A part as kernels for GPUs read it; not of panels. */
export function matrixWeights(name: string, part: Exclude<WeightPart, PanelPart>): MatrixWeights {
  const { from, to } = part;
  const view = (layout: WeightPart, width: number) =>
    wholeView({ kind: "weights", name, layout } as Storage, "float32", [to - from, width]);
  switch (part.kind) {
    case "codes":
    case "scales": {
      const inputs = part.shape[part.encoding.axis];
      return {
        words: view({ ...part, kind: "codes" }, inputs),
        scales: view({ ...part, kind: "scales" }, inputs / part.encoding.block),
        storage: part.encoding,
        inputs,
      };
    }
    case "rows":
      return { words: view(part, part.width), storage: "float32", inputs: part.width };
    case "matrix": {
      const inputs = Math.ceil(part.inputs / matrixDepth) * matrixDepth;
      return { words: view(part, inputs), storage: part.storage, inputs };
    }
  }
}
