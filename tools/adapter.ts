// A GPU adapter for the tests of the webgpu backend: is one there, and if not, can Debian's software one be installed?

/**
 * The environment of tests of the webgpu backend. On Linux only Vulkan's adapters count: what OpenGL gives without it is not what the
 * backend is made for. And libEGL stays out of the process, which would crash in some of a thousand ends: as the process ends, libEGL
 * frees what each thread has of it, and so does a thread that is ending too, such as the one of `deno test` that ran a file.
 */
export const gpuEnvironment: Record<string, string> = Deno.build.os === "linux"
  ? { DENO_WEBGPU_BACKEND: "vulkan" }
  : {};

/**
 * Ask for an adapter, in a new process, because drivers are looked for once a process.
 *
 * @returns Whether WebGPU finds an adapter.
 */
export async function adapterIsThere(): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "Deno.exit(await navigator.gpu?.requestAdapter() ? 0 : 1)"],
    env: gpuEnvironment,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

/**
 * Install Mesa's software Vulkan driver, where this is Debian and we are root.
 *
 * @returns Why it was not installed; empty if it was.
 */
export async function installSoftwareAdapter(): Promise<string> {
  const advice = "apt-get install mesa-vulkan-drivers libvulkan1 gives a software one on Debian";
  if (Deno.build.os !== "linux" || !await exists("/usr/bin/apt-get")) return "there is no GPU adapter";
  if (Deno.uid() !== 0) return `there is no GPU adapter, and only root may install one (${advice})`;
  console.log("installing mesa-vulkan-drivers and libvulkan1: the tests of the webgpu backend need a Vulkan driver");
  const packages = ["mesa-vulkan-drivers", "libvulkan1"];
  const done = await aptGet("update", "-qq") &&
    await aptGet("install", "-qq", "--no-install-recommends", ...packages);
  return done ? "" : `there is no GPU adapter, and installing one failed (${advice})`;
}

async function aptGet(...args: string[]): Promise<boolean> {
  const { success, stdout, stderr } = await new Deno.Command("/usr/bin/apt-get", {
    args: ["-y", ...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
  }).output();
  if (!success) { for (const output of [stdout, stderr]) Deno.stderr.writeSync(output); }
  return success;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
