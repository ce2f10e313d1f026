// `caption.ts doctor`: what this machine has, what "auto" takes and why, and what to do where something is missing.
import { automatic, availableBackends, inspectBackend } from "../../../backends/load_backend.ts";
import type { BackendDetails, BackendReport } from "../../graph/mod.ts";
import { type HubState, inspectHub } from "../../hub/inspect_hub.ts";
import { adviceOn } from "./_advice.ts";
import { formatBytes } from "../_units.ts";
import type { Console } from "../console.ts";
import { describe } from "../exit_code.ts";
import { findGraphics } from "./_graphics.ts";
import { quietenDrivers } from "../quiet_drivers.ts";
import { version } from "../usage.ts";

/** What the doctor finds, as `--json` prints it. */
export interface Diagnosis {
  readonly limner: string;
  readonly deno: string;
  readonly target: string;
  readonly cores: number;
  /** Bytes; undefined where the permission to ask lacks. */
  readonly memory: { readonly total: number; readonly available: number } | undefined;
  readonly backends: readonly (BackendReport & { readonly details: BackendDetails })[];
  readonly auto: { readonly backend: string; readonly reason: string };
  readonly hub: HubState;
  /** What to do, a line each. */
  readonly advice: readonly string[];
}

/**
 * Examine this machine and print what is found.
 *
 * @param json Whether an object is printed instead of lines.
 * @returns The exit code: 0 if some backend can run, 1 if none can.
 */
export async function doctor(json: boolean, console: Console): Promise<number> {
  quietenDrivers();
  const found = await examine();
  console.print(json ? `${JSON.stringify(found)}\n` : `${linesOf(found).join("\n")}\n`);
  return found.auto.backend === "" ? 1 : 0;
}

async function examine(): Promise<Diagnosis> {
  const [reports, hub, graphics] = await Promise.all([availableBackends(), inspectHub(), findGraphics()]);
  const backends: Diagnosis["backends"][number][] = [];
  for (const report of reports) {
    try {
      backends.push({ ...report, details: report.available ? await inspectBackend(report.name) : {} });
    } catch (error) {
      backends.push({ ...report, available: false, device: "", reason: describe(error), details: {} });
    }
  }
  const named = (name: string) => backends.find((backend) => backend.name === name)!;
  const gpu = named("webgpu");
  return {
    limner: await version(),
    deno: Deno.version.deno,
    target: Deno.build.target,
    cores: navigator.hardwareConcurrency,
    memory: memoryOf(),
    backends,
    auto: choose(backends),
    hub,
    advice: adviceOn({
      ...graphics,
      os: Deno.build.os,
      gpu: !gpu.available ? "none" : gpu.software ? "software" : "real",
      ffiReason: named("ffi").reason,
      hub: { reachable: hub.offline || hub.reachable, reason: hub.reason, endpoint: hub.endpoint },
      cache: { folder: hub.cache, reason: hub.cacheReason },
    }),
  };
}

function memoryOf(): Diagnosis["memory"] {
  try {
    const { total, available } = Deno.systemMemoryInfo();
    return { total, available };
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

/** What "auto" takes: the first in its order that can run, a GPU in software last; a real GPU where a model is faster there. */
function choose(backends: Diagnosis["backends"]): Diagnosis["auto"] {
  const ordered = automatic.map((name) => backends.find((backend) => backend.name === name)!)
    .sort((a, b) => Number(a.software ?? false) - Number(b.software ?? false));
  const first = ordered.findIndex(({ available }) => available);
  const passed = ordered.slice(0, first < 0 ? ordered.length : first).map(({ name, reason }) => `${name}: ${reason}`);
  if (first < 0) return { backend: "", reason: `none: ${passed.join("; ")}` };
  const order = `the order is ${ordered.map(({ name }) => name).join(", ")}`;
  const { name } = ordered[first];
  const rival = name === "ffi" &&
    ordered.some(({ name, available, software }) => name === "webgpu" && available && !software);
  const reason = (passed.length === 0 ? `${order}, and the first can run` : `${order}; ${passed.join("; ")}`) +
    (rival ? "; webgpu for a model that is estimated to be faster there" : "");
  return { backend: name, reason };
}

function linesOf({ limner, deno, target, cores, memory, backends, auto, hub, advice }: Diagnosis): string[] {
  const row = (name: string, value: string) => `${name.padEnd(12)} ${value}`;
  const reachable = hub.offline ? "not asked, offline" : hub.reachable ? "reachable" : `not reachable: ${hub.reason}`;
  const size = hub.cacheBytes === undefined ? "empty" : formatBytes(hub.cacheBytes);
  return [
    row("limner", limner),
    row("deno", `${deno}, ${target}`),
    row("cores", String(cores)),
    row(
      "memory",
      memory
        ? `${formatBytes(memory.total)}, ${formatBytes(memory.available)} available`
        : "unknown without --allow-sys",
    ),
    ...backends.flatMap(({ name, available, device, reason, speed, details }) => [
      row(name, available ? device : `not available: ${reason}`),
      ...speed === undefined ? [] : [row("", `speed: ${speed}`)],
      ...Object.entries(details).map(([key, value]) => row("", `${key}: ${[value].flat().join(", ")}`)),
    ]),
    row("auto", auto.backend ? `${auto.backend}: ${auto.reason}` : auto.reason),
    row("hub", `${hub.endpoint}, ${reachable}, ${hub.token ? "with a token" : "without a token"}`),
    row("cache", hub.cache ? `${hub.cache}, ${size}` : "no folder is known"),
    ...advice.map((line) => row("advice", line)),
  ];
}
