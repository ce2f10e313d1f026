// Processes that are measured from outside: when their first line comes, and the most memory of their own that they have.

/** The bytes of a process that are not pages of a file (RssAnon); only Linux says. */
export function ownMemory(process: number | "self"): number {
  const status = Deno.readTextFileSync(`/proc/${process}/status`);
  return 1024 * Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0);
}

/** How often memory is looked at, in ms. */
const interval = 5;

/** What a process gave. */
export interface Measured {
  /** Milliseconds from its start to its first line of JSON, and to its end. */
  readonly first: number;
  readonly whole: number;
  /** The most memory of its own, in bytes. */
  readonly peak: number;
  /** Its lines of JSON. */
  readonly lines: readonly Record<string, never>[];
}

/**
 * Run a process.
 *
 * @throws {Error} If it fails, with the end of what it complained of.
 */
export async function runProcess(program: string, args: readonly string[], cwd?: string): Promise<Measured> {
  const began = performance.now();
  const child = new Deno.Command(program, { args: [...args], cwd, stdin: "null", stdout: "piped", stderr: "piped" })
    .spawn();
  let peak = 0;
  const watch = setInterval(() => {
    try {
      peak = Math.max(peak, ownMemory(child.pid));
    } catch {
      // it has ended
    }
  }, interval);
  const complaints = new Response(child.stderr).text();
  let [text, first] = ["", 0];
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (first === 0 && /^\{.*\n/m.test(text)) first = performance.now() - began;
  }
  const { success } = await child.status;
  clearInterval(watch);
  if (!success) throw new Error(`${program} ${args.join(" ")} failed: ${(await complaints).slice(-2000)}`);
  const whole = performance.now() - began;
  const lines = text.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  return { first: first || whole, whole, peak, lines };
}
