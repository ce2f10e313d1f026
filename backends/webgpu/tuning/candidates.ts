// What is tried on a device: shapes of products, and the sizes that they are tried at.
import type { MatmulShape, MatvecShape } from "../device/profile.ts";

/** A size of products, and which products it stands for. */
export interface ProductClass {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
  /** The conditions of the shape that is found for it. */
  readonly least: Pick<MatvecShape, "leastOutputs" | "leastInputs"> & Pick<MatmulShape, "leastRows" | "leastColumns">;
}

/** A decoding step's products, the most special first: the head, the second of a feed-forward layer, the first, and the rest. */
export const matvecClasses: readonly ProductClass[] = [
  { rows: 1, inputs: 768, outputs: 32_768, least: { leastOutputs: 16_384 } },
  { rows: 1, inputs: 3072, outputs: 768, least: { leastInputs: 2048 } },
  { rows: 1, inputs: 768, outputs: 3072, least: { leastOutputs: 2048 } },
  { rows: 1, inputs: 768, outputs: 768, least: {} },
];

/** An encoder's products: of eight pictures, and of one. */
export const matmulClasses: readonly ProductClass[] = [
  { rows: 1576, inputs: 768, outputs: 3072, least: { leastRows: 1024 } },
  { rows: 197, inputs: 768, outputs: 3072, least: {} },
];

export const matvecCandidates: readonly MatvecShape[] = [
  { lanes: 64, outputs: 1 },
  { lanes: 64, outputs: 2 },
  { lanes: 128, outputs: 1 },
  { lanes: 256, outputs: 1 },
  { lanes: 128, outputs: 4 },
  { lanes: 32, outputs: 1 },
];

export const matmulCandidates: readonly MatmulShape[] = [
  { tile: [64, 64], registers: [4, 4], depth: 32 },
  { tile: [64, 64], registers: [8, 4], depth: 16 },
  { tile: [128, 128], registers: [8, 8], depth: 16 },
  { tile: [32, 64], registers: [4, 4], depth: 32 },
];
