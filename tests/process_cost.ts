// Processor time and memory of a process, for tests that run their work in a process of its own. Unlike elapsed time,
// processor time does not depend on what else the machine does; nor does the memory, with `costFlags`.
import process from "node:process";

/** V8 collects on the one thread that allocates: how far its others fall behind depends on what else the machine does. */
export const costFlags = "--v8-flags=--single-threaded-gc";

/** The processor time that this process has taken so far, in ms. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Whether the memory of a process can be read here. */
export const readsMemory: boolean = Deno.build.os === "linux";

/**
 * The bytes of memory that this process has, those that are not pages of a file, and the most that it had since
 * {@linkcode forgetPeak}; 0 where unknown.
 */
export function memory(): { resident: number; own: number; peak: number } {
  const status = readsMemory ? Deno.readTextFileSync("/proc/self/status") : "";
  const field = (name: string) => 1024 * Number(RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
  return { resident: field("VmRSS"), own: field("RssAnon"), peak: field("VmHWM") };
}

/** Reset the peak of memory to what the process has now. */
export function forgetPeak(): void {
  if (readsMemory) Deno.writeTextFileSync("/proc/self/clear_refs", "5");
}
