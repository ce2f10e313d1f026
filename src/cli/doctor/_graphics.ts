// What there is of graphics cards and Vulkan on a Linux machine, by the files that tell of them.
import type { Findings } from "./_advice.ts";

/** Look for graphics cards and for what Vulkan needs; what may not be read is not there. */
export async function findGraphics(): Promise<
  Pick<Findings, "devices" | "vulkanLoader" | "vulkanDrivers" | "nvidiaDriver">
> {
  const libraries = ["/usr/lib", "/usr/lib64", "/lib", "/usr/local/lib", `/usr/lib/${Deno.build.arch}-linux-gnu`];
  const [render, nvidia, drivers, more, loaders, driver] = await Promise.all([
    filesIn("/dev/dri", /^renderD\d+$/),
    filesIn("/dev", /^nvidia\d+$/),
    filesIn("/usr/share/vulkan/icd.d", /\.json$/),
    filesIn("/etc/vulkan/icd.d", /\.json$/),
    Promise.all(libraries.map((folder) => filesIn(folder, /^libvulkan\.so/))),
    Deno.readTextFile("/proc/driver/nvidia/version").catch(() => ""),
  ]);
  return {
    devices: [...nvidia, ...render],
    vulkanLoader: loaders.flat().length > 0,
    vulkanDrivers: [...drivers, ...more],
    nvidiaDriver: /Kernel Module\D+?(\d+(?:\.\d+)+)/.exec(driver)?.[1],
  };
}

async function filesIn(folder: string, name: RegExp): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    return entries.filter((entry) => name.test(entry.name)).map((entry) => `${folder}/${entry.name}`).sort();
  } catch {
    return [];
  }
}
