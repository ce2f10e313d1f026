// The kinds of devices that kernels are written for. On a software adapter a storage load costs like 14 multiply-adds and shared memory hardly
// less, so registers and subgroup broadcasts win; on a GPU shared tiles do.

/** A kind of device. `soft`: a CPU that has subgroups of 8; `soft-nosg`: without; `gpu`, `gpu-sg`: likewise. */
export type ProfileName = "soft" | "soft-nosg" | "gpu" | "gpu-sg";

/** How kernels are shaped. */
export interface Profile {
  readonly name: ProfileName;
  /** Invocations of a workgroup that treats elements alike. */
  readonly lanes: number;
  /** Invocations that share one row: a normalisation, a softmax, an argMax. */
  readonly rowLanes: number;
  /** Whether a workgroup of 8 is a subgroup, whose lanes lie in order. */
  readonly broadcasts: boolean;
  /** Whether matrix tiles go through workgroup memory. */
  readonly sharedTiles: boolean;
}

/** The profiles by name. */
export const profiles: Readonly<Record<ProfileName, Profile>> = {
  "soft": { name: "soft", lanes: 64, rowLanes: 8, broadcasts: true, sharedTiles: false },
  "soft-nosg": { name: "soft-nosg", lanes: 64, rowLanes: 8, broadcasts: false, sharedTiles: false },
  "gpu": { name: "gpu", lanes: 64, rowLanes: 64, broadcasts: false, sharedTiles: true },
  "gpu-sg": { name: "gpu-sg", lanes: 64, rowLanes: 64, broadcasts: false, sharedTiles: true },
};
