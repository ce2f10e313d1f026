// What is tried on a device: shapes of products, and the sizes that they are tried at.
import type { MatmulShape, MatvecShape, TexelMatvecShape, TexelShape } from "../device/profile.ts";

/** A size of products, and which products it stands for. */
export interface ProductClass {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
  /** The conditions of the shape that is found for it. */
  readonly least: Pick<MatvecShape, "leastOutputs" | "leastInputs"> & Pick<MatmulShape, "leastRows" | "leastColumns">;
}

/** The classes of each family of kernels. */
export interface Classes {
  readonly matvec: readonly ProductClass[];
  readonly matmul: readonly ProductClass[];
}

/** A decoding step's products, the most special first: the head, the second of a feed-forward layer, the first, and the rest. */
const matvec: readonly ProductClass[] = [
  { rows: 1, inputs: 768, outputs: 32_768, least: { leastOutputs: 16_384 } },
  { rows: 1, inputs: 3072, outputs: 768, least: { leastInputs: 2048 } },
  { rows: 1, inputs: 768, outputs: 3072, least: { leastOutputs: 2048 } },
  { rows: 1, inputs: 768, outputs: 768, least: {} },
];

/** An encoder's products: of eight pictures, and of one. */
const matmul: readonly ProductClass[] = [
  { rows: 1576, inputs: 768, outputs: 3072, least: { leastRows: 1024 } },
  { rows: 197, inputs: 768, outputs: 3072, least: {} },
];

/** What is tried on a GPU. */
export const gpuClasses: Classes = { matvec, matmul };

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

/** What is tried on a processor: sizes that it computes in milliseconds. Of products of many rows there is one class. */
export const texelClasses: Classes = {
  matvec: [
    { rows: 1, inputs: 768, outputs: 3072, least: { leastOutputs: 2048 } },
    { rows: 1, inputs: 768, outputs: 768, least: {} },
  ],
  matmul: [{ rows: 96, inputs: 768, outputs: 768, least: {} }],
};

export const texelMatvecCandidates: readonly TexelMatvecShape[] = [{ vectors: 4 }, { vectors: 2 }];

/** Tall tiles are for processors with many registers, as AVX-512 has them, and take long to compile. */
export const texelMatmulCandidates: readonly TexelShape[] = [
  { rows: 8, vectors: 2, depth: 4 },
  { rows: 16, vectors: 1, depth: 4 },
  { rows: 16, vectors: 2, depth: 4 },
];
