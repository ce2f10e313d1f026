// Whether a machine may have a GPU, by the files that Linux has for one: a look at them takes no time, where asking for an
// adapter loads drivers.

/** Where drivers put their devices: of NVIDIA, of WSL, of ARM, of Qualcomm. Others are rendered through `/dev/dri`. */
const devices = ["/dev/nvidiactl", "/dev/nvidia0", "/dev/nvhost-gpu", "/dev/dxg", "/dev/mali0", "/dev/kgsl-3d0"];

/** What is asked of a system. */
export interface DeviceFiles {
  /** The system's name, as `Deno.build.os` has it; undefined in a browser. */
  readonly system: string | undefined;
  /** The names in a folder; empty where there is none. @throws {Error} If that may not be asked. */
  list(folder: string): Promise<readonly string[]>;
}

const here: DeviceFiles = {
  system: globalThis.Deno?.build.os,
  list: async (folder) => {
    // Without asking a person for it.
    if ((await Deno.permissions.query({ name: "read", path: folder })).state !== "granted") {
      throw new Error("not allowed");
    }
    try {
      return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  },
};

/** Whether there may be a GPU; true where nothing is known. */
export async function mayHaveGpu({ system, list }: DeviceFiles = here): Promise<boolean> {
  if (system !== "linux") return true;
  try {
    const [all, rendering] = await Promise.all([list("/dev"), list("/dev/dri")]);
    return rendering.some((name) => name.startsWith("renderD")) || all.some((name) => devices.includes(`/dev/${name}`));
  } catch {
    return true;
  }
}
