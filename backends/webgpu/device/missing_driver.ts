// Why there is no adapter: on Linux Deno finds a device through the Vulkan loader, which finds drivers by files that name them.

/** Where the loader's library may be. */
const loaders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"]
  .map((folder) => `${folder}/libvulkan.so.1`);

/** Where drivers are named. */
const drivers = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];

/** Where NVIDIA's container toolkit or driver leaves its device. */
const nvidia = "/dev/nvidia0";

const general = "no GPU was found; on a machine without one a software driver serves " +
  "(Debian and Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1)";

/** What can be known of a system's files; undefined where that may not be asked. */
export interface SystemFiles {
  readonly system: string;
  exists(path: string): Promise<boolean | undefined>;
  /** The names in a folder; empty where there is none. */
  list(folder: string): Promise<readonly string[] | undefined>;
}

async function ifAllowed<T>(path: string, act: () => Promise<T>, missing: T): Promise<T | undefined> {
  try {
    // Without asking a person for it.
    const { state } = await Deno.permissions.query({ name: "read", path });
    return state === "granted" ? await act() : undefined;
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? missing : undefined;
  }
}

const here: SystemFiles = {
  system: globalThis.Deno?.build.os ?? "browser",
  exists: (path) => ifAllowed(path, () => Deno.stat(path).then(() => true), false),
  list: (folder) =>
    ifAllowed(folder, async () => {
      const names: string[] = [];
      for await (const { name } of Deno.readDir(folder)) names.push(name);
      return names;
    }, []),
};

/** What is missing where no adapter was found, and what to do, for a person to read. It asks for no permission that is not given. */
export async function whyNone(files: SystemFiles = here): Promise<string> {
  if (files.system !== "linux") return files.system === "browser" ? "the browser offers no GPU" : general;
  const found = await Promise.all(loaders.map((path) => files.exists(path)));
  if (found.includes(undefined)) return general;
  if (!found.includes(true)) {
    return "the Vulkan loader is missing, libvulkan.so.1, without which no GPU is found (Debian and Ubuntu: apt-get install " +
      "libvulkan1, and mesa-vulkan-drivers where there is no GPU; in a container it has to be in the image)";
  }
  const named = await Promise.all(drivers.map((folder) => files.list(folder)));
  if (named.includes(undefined)) return general;
  if (named.flat().some((name) => name!.endsWith(".json"))) return general;
  const advice = await files.exists(nvidia)
    ? "an NVIDIA device is there: run the container with NVIDIA_DRIVER_CAPABILITIES=all, or set VK_DRIVER_FILES to the " +
      "path of nvidia_icd.json"
    : "Debian and Ubuntu: apt-get install mesa-vulkan-drivers";
  return `the Vulkan loader is there and no driver: none of ${drivers.join(", ")} names one (${advice})`;
}
