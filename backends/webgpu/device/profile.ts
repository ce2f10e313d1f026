// How kernels are shaped for a kind of device, as data. On a software adapter each load costs like 14 multiply-adds and shared
// memory hardly less, so registers and subgroup broadcasts win; on a GPU lanes that read a row together and tiles in workgroup
// memory do. The shapes of `gpu` were the best of those that were measured on an NVIDIA H200, those of `soft` on a processor
// with AVX2.

/** A kind of device. `soft`: a CPU that has subgroups of 8; `soft-nosg`: without; `gpu`, `gpu-sg`: without and with subgroups. */
export type ProfileName = "soft" | "soft-nosg" | "gpu" | "gpu-sg";

/** How a product of few rows is computed: the lanes of a workgroup share K, and each has all of the workgroup's outputs. */
export interface MatvecShape {
  /** It is for products of at least so many outputs and inputs. @default 0 */
  readonly leastOutputs?: number;
  readonly leastInputs?: number;
  readonly lanes: number;
  /** The outputs of a workgroup. */
  readonly outputs: number;
}

/** How a product of many rows is computed: in tiles of workgroup memory, of which each lane has some results in registers. */
export interface MatmulShape {
  /** It is for products of at least so many rows and columns. @default 0 */
  readonly leastRows?: number;
  readonly leastColumns?: number;
  /** The rows and columns of a workgroup: multiples of the registers. */
  readonly tile: readonly [rows: number, columns: number];
  /** Those of a lane: multiples of 4. */
  readonly registers: readonly [rows: number, columns: number];
  /** The inputs that are in workgroup memory at once: a multiple of 4. */
  readonly depth: number;
}

/** How a product of texels is computed: 8 lanes that broadcast have a tile in registers. */
export interface TexelShape {
  /** The rows of the tile: of a product of more than a few rows a multiple of four. */
  readonly rows: number;
  /** The vectors of four columns of a lane: 1, or 2 for each panel of weights. */
  readonly vectors: number;
  /** The inputs that are multiplied in one turn of the loop: 4 or 8. Where they are numbers of a buffer it is 8. */
  readonly depth: 4 | 8;
}

/** The shape of products of few rows, whose tile has as many. */
export interface TexelMatvecShape extends Pick<MatvecShape, "leastOutputs" | "leastInputs"> {
  readonly vectors: number;
}

/** The shapes of products of texels. */
export interface TexelShapes {
  /** The first that fits is used; the last fits all. */
  readonly matvec: readonly TexelMatvecShape[];
  readonly matmul: TexelShape;
}

/** The shapes of a GPU's kernels. */
export interface GpuShapes {
  /** The workgroups that keep the device busy. Where a product has fewer, its inputs are split between workgroups. */
  readonly groups: number;
  /** The first that fits is used; the last fits all. */
  readonly matvec: readonly MatvecShape[];
  /** The first that fits is used; the last fits all. */
  readonly matmul: readonly MatmulShape[];
  /** Attention of many queries: the queries of a workgroup, the lanes of a query, and the keys in workgroup memory at once. */
  readonly attention: { readonly queries: number; readonly parts: number; readonly keys: number };
}

/** How kernels are shaped. */
export interface Profile {
  readonly name: ProfileName;
  /** Invocations of a workgroup that treats elements alike. */
  readonly lanes: number;
  /** Invocations that share one row: a normalisation, a softmax, an argMax; and those that share a long one. */
  readonly rowLanes: number;
  readonly longRowLanes: number;
  /** Whether a workgroup of 8 is a subgroup, whose lanes lie in order. */
  readonly broadcasts: boolean;
  /** The shapes of products that read weights, and other operands that are large, as texels; undefined where none do. */
  readonly texels?: TexelShapes;
  /** Which kernels are done together as one, where workgroups are of a subgroup of 8; undefined where none are. */
  readonly sequences?: {
    /** The kernels of one: a longer one takes a driver longer to compile than its kernels alone. */
    readonly mostKernels: number;
    /** The turns of such a kernel's lanes: one that has more takes longer than a dispatch costs. */
    readonly mostTurns: number;
  };
  /** Whether the lanes of larger workgroups lie in order in subgroups, which reduce values. */
  readonly subgroups: boolean;
  /** The shapes of a GPU's kernels; undefined where registers are better than workgroup memory. */
  readonly gpu?: GpuShapes;
  /**
   * Whether float16 has 16 bits on the device, and what a program of float16 weights computes too; the device has shader-f16.
   * Else each has 32. It halves the bytes of caches and of what kernels leave for each other. How fast it is on a GPU was not
   * measured; on a processor it made no difference to those kernels. Copies to texels are of 32 bits, so that profiles with
   * texels have no other.
   */
  readonly float16: boolean;
}

const matvec: readonly MatvecShape[] = [
  { leastOutputs: 16_384, lanes: 64, outputs: 2 },
  { leastInputs: 2048, lanes: 256, outputs: 1 },
  { lanes: 64, outputs: 1 },
];

/** A tree over 256 lanes cost more than it brought where there are many outputs, so without subgroups an output is enough. */
const matvecByTree: readonly MatvecShape[] = [
  { leastInputs: 2048, lanes: 256, outputs: 1 },
  { lanes: 64, outputs: 1 },
];

const matmul: readonly MatmulShape[] = [
  { leastRows: 2048, leastColumns: 2048, tile: [128, 128], registers: [8, 8], depth: 16 },
  { leastRows: 1024, tile: [64, 64], registers: [8, 4], depth: 16 },
  { tile: [64, 64], registers: [4, 4], depth: 32 },
];

const nvidia: GpuShapes = { groups: 264, matvec, matmul, attention: { queries: 32, parts: 4, keys: 32 } };

/**
 * Shapes by the vendor that `adapter.info` has (PCI's number, or a name in browsers). Only NVIDIA's were measured; of the
 * others it is known how many workgroups their usual devices run at once.
 */
const groupsByVendor: readonly { readonly vendor: RegExp; readonly groups: number }[] = [
  { vendor: /^(4318|nvidia)$/i, groups: 264 },
  { vendor: /^(4098|amd)$/i, groups: 128 },
  { vendor: /^(32902|intel)$/i, groups: 64 },
  { vendor: /^(4203|apple)$/i, groups: 64 },
];

const gpu: Profile = {
  name: "gpu",
  lanes: 64,
  rowLanes: 64,
  longRowLanes: 256,
  broadcasts: false,
  subgroups: false,
  gpu: { ...nvidia, matvec: matvecByTree },
  float16: true,
};

const soft: Profile = {
  name: "soft",
  lanes: 64,
  rowLanes: 8,
  longRowLanes: 64,
  broadcasts: true,
  texels: { matvec: [{ vectors: 4 }], matmul: { rows: 8, vectors: 2, depth: 4 } },
  sequences: { mostKernels: 4, mostTurns: 320 },
  subgroups: false,
  float16: false,
};

/** The profiles by name. */
export const profiles: Readonly<Record<ProfileName, Profile>> = {
  "soft": soft,
  "soft-nosg": {
    ...soft,
    name: "soft-nosg",
    broadcasts: false,
    texels: undefined,
    sequences: undefined,
    float16: true,
  },
  "gpu": gpu,
  "gpu-sg": { ...gpu, name: "gpu-sg", subgroups: true, gpu: nvidia },
};

/** A profile with what is known of a vendor's devices. */
export function forVendor(profile: Profile, vendor: string): Profile {
  const known = groupsByVendor.find((entry) => entry.vendor.test(vendor));
  return profile.gpu && known ? { ...profile, gpu: { ...profile.gpu, groups: known.groups } } : profile;
}
