// What to do where something is missing on a machine, from what was found there. It inspects nothing itself.

/** What was found. */
export interface Findings {
  readonly os: string;
  /** Device files of graphics cards, such as /dev/dri/renderD128. */
  readonly devices: readonly string[];
  /** Whether a Vulkan loader is installed. */
  readonly vulkanLoader: boolean;
  /** The files that tell the loader of drivers. */
  readonly vulkanDrivers: readonly string[];
  /** The version of NVIDIA's kernel driver, if it is loaded. */
  readonly nvidiaDriver: string | undefined;
  /** Whether WebGPU has a GPU, and whether it is a real one. */
  readonly gpu: "real" | "software" | "none";
  /** Why the ffi backend cannot run; empty where it can. */
  readonly ffiReason: string;
  readonly hub: { readonly reachable: boolean; readonly reason: string; readonly endpoint: string };
  readonly cache: { readonly folder: string | undefined; readonly reason: string };
}

/** NVIDIA's first driver with the Vulkan 1.3 that WebGPU's implementation asks for. */
const oldestNvidia = 510;

/** What a person can do, a line each; nothing where nothing is missing. */
export function adviceOn(found: Findings): string[] {
  const { hub, cache, ffiReason } = found;
  return [
    ...adviceOnGpu(found),
    ffiReason !== "" && `the ffi backend cannot run: ${ffiReason}`,
    !hub.reachable &&
    `the Hub cannot be reached (${hub.reason}): models that are cached load with --offline; a mirror ` +
      `is named by HF_ENDPOINT, a proxy by HTTPS_PROXY`,
    cache.reason !== "" && `the cache cannot be written (${cache.reason}): HF_HUB_CACHE names another folder`,
  ].filter((line) => typeof line === "string");
}

function adviceOnGpu({ os, devices, vulkanLoader, vulkanDrivers, nvidiaDriver, gpu }: Findings): string[] {
  if (gpu === "real" || os !== "linux" || devices.length === 0) return [];
  const card = `there is a graphics card (${devices[0]}) that WebGPU does not find`;
  const nvidia = devices.some((device) => device.includes("nvidia"));
  if (nvidiaDriver && parseInt(nvidiaDriver) < oldestNvidia) {
    return [`${card}: its driver ${nvidiaDriver} is too old, expected ${oldestNvidia} or later`];
  }
  if (!vulkanLoader) {
    const graphics = nvidia ? ", and start a container with NVIDIA_DRIVER_CAPABILITIES=all" : "";
    return [
      `${card}: there is no Vulkan loader; install libvulkan1 (Debian, Ubuntu) or vulkan-loader (Fedora)${graphics}`,
    ];
  }
  const own = vulkanDrivers.filter((file) => !/lvp|lavapipe|swiftshader/i.test(file));
  if (own.length > 0) return [`${card}, though a Vulkan driver is there (${own[0]}): may this user open the device?`];
  return [
    nvidia
      ? `${card}: the loader knows no driver for it; start the container with NVIDIA_DRIVER_CAPABILITIES=all, or install ` +
        `NVIDIA's driver with its Vulkan part`
      : `${card}: the loader knows no driver for it; install mesa-vulkan-drivers`,
  ];
}
