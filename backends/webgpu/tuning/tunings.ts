// What is tried for a profile: the kernels of its candidates, and the profile with those that are chosen.
import type { GpuShapes, Profile, TexelShapes } from "../device/profile.ts";
import { matvecKernel } from "../kernels/matvec.ts";
import type { Dispatch } from "../kernels/shader.ts";
import { texelPanelKernel } from "../kernels/texels/texel_matmul.ts";
import { tiledKernel } from "../kernels/tiled_matmul.ts";
import { type Storage, wholeView } from "../program/view.ts";
import {
  type Classes,
  gpuClasses,
  matmulCandidates,
  matvecCandidates,
  type ProductClass,
  texelClasses,
  texelMatmulCandidates,
  texelMatvecCandidates,
} from "./candidates.ts";

/** Memory that has room for the products of all classes. */
export interface Memories {
  readonly x: Storage;
  /** Texels where products read those, as x's copy is. */
  readonly weights: Storage;
  readonly copy: Storage;
  readonly target: Storage;
}

/** The kernel of a candidate on the sizes of a class. */
export type CandidateKernel = (of: ProductClass, memories: Memories) => Dispatch;

/** A family of kernels. */
export interface Family {
  readonly classes: readonly ProductClass[];
  /** What is tried; one that comes later must be better by more than chance. */
  readonly candidates: readonly CandidateKernel[];
}

/** The families of kernels. */
export const familyNames = ["matvec", "matmul"] as const;

/** The numbers of the candidates that are chosen, for each class. */
export type Choices = Readonly<Record<typeof familyNames[number], readonly number[]>>;

/** What is tried for a profile. */
export interface Tuning {
  readonly families: Readonly<Record<typeof familyNames[number], Family>>;
  readonly choose: (choices: Choices) => Profile;
  /**
   * Whether a processor computes: it reads weights as texels, compiles a kernel when that first runs, and tells by the
   * adapter's name which compiler it has.
   */
  readonly isSoftware: boolean;
}

/** What is tried for a profile; undefined where there is nothing to choose. @param classes Other sizes than the usual. */
export function tuningOf(profile: Profile, classes?: Classes): Tuning | undefined {
  const { gpu, texels } = profile;
  if (gpu) return gpuTuning(profile, gpu, classes ?? gpuClasses);
  return texels && texelTuning(profile, texels, classes ?? texelClasses);
}

/** What products of all kernels have. */
function operandsOf({ rows, inputs, outputs }: ProductClass, { x, target }: Memories) {
  return {
    x: wholeView(x, "float32", [rows, inputs]),
    rows,
    stride: inputs,
    inputs,
    outputs,
    from: 0,
    to: outputs,
    epilogue: {},
    target: wholeView(target, "float32", [rows, outputs]),
  };
}

function gpuTuning(profile: Profile, gpu: GpuShapes, { matvec, matmul }: Classes): Tuning {
  const product = (of: ProductClass, memories: Memories) => {
    const words = wholeView(memories.weights, "float32", [of.outputs, of.inputs]);
    return { ...operandsOf(of, memories), weights: { words, storage: "float32" as const, inputs: of.inputs } };
  };
  const matvecs = matvecCandidates.map((shape): CandidateKernel => (of, memories) =>
    matvecKernel(product(of, memories), { rows: 1, shape }, profile)
  );
  const matmuls = matmulCandidates.map((shape): CandidateKernel => (of, memories) =>
    tiledKernel(product(of, memories), shape)
  );
  const choose = (choices: Choices): Profile => ({
    ...profile,
    gpu: {
      ...gpu,
      matvec: matvec.map(({ least }, i) => ({ ...matvecCandidates[choices.matvec[i]], ...least })),
      matmul: matmul.map(({ least }, i) => ({ ...matmulCandidates[choices.matmul[i]], ...least })),
    },
  });
  const families = {
    matvec: { classes: matvec, candidates: matvecs },
    matmul: { classes: matmul, candidates: matmuls },
  };
  return { families, choose, isSoftware: false };
}

function texelTuning(profile: Profile, texels: TexelShapes, { matvec, matmul }: Classes): Tuning {
  const product = (of: ProductClass, memories: Memories) => (
    {
      ...operandsOf(of, memories),
      weights: {
        words: wholeView(memories.weights, "float32", [of.outputs, of.inputs]),
        storage: "float32" as const,
      },
    }
  );
  const matvecs = texelMatvecCandidates.map(({ vectors }): CandidateKernel => (of, memories) =>
    texelPanelKernel(product(of, memories), { rows: of.rows, vectors, depth: 8 })
  );
  const matmuls = texelMatmulCandidates.map((shape): CandidateKernel => (of, memories) =>
    texelPanelKernel(product(of, memories), shape, { texels: memories.copy })
  );
  const choose = (choices: Choices): Profile => ({
    ...profile,
    texels: {
      ...texels,
      matvec: matvec.map(({ least }, i) => ({ ...texelMatvecCandidates[choices.matvec[i]], ...least })),
      matmul: texelMatmulCandidates[choices.matmul[0]],
    },
  });
  const families = {
    matvec: { classes: matvec, candidates: matvecs },
    matmul: { classes: matmul, candidates: matmuls },
  };
  return { families, choose, isSoftware: true };
}
