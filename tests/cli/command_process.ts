// Running the project's scripts as a person does: as processes, seen from outside.

/** The project's folder. */
export const root: string = new URL("../../", import.meta.url).pathname;

/** What the embedded model reads in assets/examples, which is what PyTorch reads with it. */
export const texts = {
  "assets/examples/line.png": "ninth century Zen master",
  "assets/examples/address.png": "hypnotics.applesauce@heron.org",
  "assets/examples/date.png": "2/8/2021",
  "assets/examples/shout.png": "ALL MY UNDERSHIRTS!!",
} as const;

/** How a process ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Lines of standard error. */
  readonly complaints: readonly string[];
}

/** How a process is run. */
export interface RunOptions {
  readonly stdin?: Uint8Array;
  readonly env?: Record<string, string>;
  /** @default the project's folder */
  readonly cwd?: string;
}

/** Run `deno run` with arguments, and wait for its end. */
export function deno(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return execute(Deno.execPath(), ["run", "-A", "--quiet", ...args], options);
}

/** Run a program with arguments, and wait for its end. */
export async function execute(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = new Deno.Command(program, {
    args: [...args],
    cwd: options.cwd ?? root,
    // No test asks the real Hub.
    env: { NO_COLOR: "1", HF_HUB_OFFLINE: "1", ...options.env },
    stdin: options.stdin ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (options.stdin) {
    const writer = child.stdin.getWriter();
    await writer.write(options.stdin);
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return ended(code, text.decode(stdout), text.decode(stderr));
}

/** Run the command. */
export function caption(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return deno(["caption.ts", ...args], options);
}

function ended(code: number, stdout: string, stderr: string): Ended {
  const complaints = stderr.split("\n").filter((line) => line !== "");
  return { code, stdout, stderr, complaints };
}
