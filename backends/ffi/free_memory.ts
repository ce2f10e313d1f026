// How much memory a process may still take: what the system has, and what is left of the limits of its control groups, as a
// container has them. https://docs.kernel.org/admin-guide/cgroup-v2.html#memory, and cgroup-v1/memory.html

import { sizeOf } from "../../src/tensor/mod.ts";
import type { StoredWeights } from "../../src/weights/mod.ts";

/** Reads a text file; undefined where there is none, or it may not be read. */
export type ReadText = (path: string) => string | undefined;

/** The names of a control group's files in both versions of the interface. */
interface Files {
  readonly root: string;
  readonly limit: string;
  readonly used: string;
  /** The line of memory.stat that counts the pages of files which the system can take back. */
  readonly evictable: string;
}

const second: Files = {
  root: "/sys/fs/cgroup",
  limit: "memory.max",
  used: "memory.current",
  evictable: "inactive_file",
};
const first: Files = {
  root: "/sys/fs/cgroup/memory",
  limit: "memory.limit_in_bytes",
  used: "memory.usage_in_bytes",
  evictable: "total_inactive_file",
};

/** Read a file, without asking for a permission that was not given. */
const readGranted: ReadText = (path) => {
  try {
    if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return undefined;
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
};

/** What the system has for new processes, in bytes; undefined where it may not be asked. */
function systemMemory(): number | undefined {
  const descriptor = { name: "sys", kind: "systemMemoryInfo" } as const;
  if (Deno.permissions.querySync(descriptor).state !== "granted") return undefined;
  return Deno.systemMemoryInfo().available;
}

/** What a process takes beside its weights, in bytes: buffers of runs, the library's own, JavaScript's. */
const besideWeights = 256e6;

/**
 * Whether there is too little memory for packed copies of weights: then they are better read where they lie in their file,
 * whose pages the system takes back when it needs room.
 *
 * @param free What may be taken, in bytes; where it is not known, there is enough.
 */
export function isMemoryShort(source: StoredWeights, free: number | undefined = freeMemory()): boolean {
  if (free === undefined) return false;
  let needed = besideWeights;
  // Names that share a weight share its memory too.
  for (const weight of new Set(source.values())) {
    // Blocks are held, or mapped, and packed by those programs that run by steps.
    const bytes = weight.blocks ? weight.blocks.bits / 8 : 4;
    needed += 1.15 * bytes * sizeOf(weight.shape);
  }
  return needed > free;
}

/**
 * The bytes that this process may still take; undefined where nothing is known.
 *
 * @param read Reads the files of control groups.
 * @param system What the system has.
 */
export function freeMemory(read: ReadText = readGranted, system = systemMemory): number | undefined {
  const has = system();
  const known = [...groupsOf(read)].flatMap(([files, path]) => leftOf(read, files, path) ?? []);
  return has === undefined && known.length === 0 ? undefined : Math.max(0, Math.min(has ?? Infinity, ...known));
}

/** The control groups that this process is in, each with the groups above it. */
function* groupsOf(read: ReadText): Iterable<[files: Files, path: string]> {
  for (const line of read("/proc/self/cgroup")?.split("\n") ?? []) {
    const [, id, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    const files = id === "0" ? second : controllers?.split(",").includes("memory") ? first : undefined;
    if (!files) continue;
    // Seen from inside a container, the group's path may be one of the outside: then its own root has the limit.
    const parts = path.includes("..") ? [] : path.split("/").filter((part) => part !== "");
    for (let depth = parts.length; depth >= 0; depth--) {
      yield [files, [files.root, ...parts.slice(0, depth)].join("/")];
    }
  }
}

/** What is left of a group's limit; undefined where it has none. */
function leftOf(read: ReadText, { limit, used, evictable }: Files, path: string): number | undefined {
  const most = read(`${path}/${limit}`)?.trim();
  if (most === undefined || !/^\d+$/.test(most)) return undefined;
  const taken = read(`${path}/${used}`)?.trim();
  if (taken === undefined) return undefined;
  const stat = read(`${path}/memory.stat`) ?? "";
  const pages = new RegExp(`^${evictable} (\\d+)$`, "m").exec(stat)?.[1] ?? 0;
  return Number(most) - Number(taken) + Number(pages);
}
