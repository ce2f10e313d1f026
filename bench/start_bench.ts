// How long a person waits for the command: `deno run -A bench/start_bench.ts [BACKEND...]`. Each row is the median of
// processes that run in turns, beside Deno's own start (`deno eval ""`) and the limit the project sets itself.
const root = new URL("../", import.meta.url).pathname;
const line = "assets/examples/line.png";
const backends = Deno.args.length > 0 ? Deno.args : ["ffi", "webgpu", "reference"];
const turns = 9;

const cases: { name: string; args: string[]; limit?: number }[] = [
  { name: "deno_alone", args: ["eval", ""] },
  { name: "help", args: ["run", "-A", "--quiet", "caption.ts", "--help"], limit: 300 },
  ...backends.map((backend) => ({
    name: `text_${backend}`,
    args: ["run", "-A", "--quiet", "caption.ts", "--backend", backend, line],
    ...(backend === "ffi" && { limit: 800 }),
  })),
];

/** Milliseconds from the start of a process to its first output, or to its end where it has none. */
async function timeProcess(args: string[]): Promise<number> {
  const began = performance.now();
  const child = new Deno.Command(Deno.execPath(), { args, cwd: root, stdin: "null", stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  const taken = performance.now() - began;
  while (!(await reader.read()).done);
  if (!(await child.status).success) throw new Error(`deno ${args.join(" ")} failed`);
  return taken;
}

const times = new Map(cases.map(({ name }) => [name, [] as number[]]));
for (let turn = 0; turn <= turns; turn++) {
  // The first turn fills caches.
  for (const { name, args } of cases) {
    const taken = await timeProcess(args);
    if (turn > 0) times.get(name)!.push(taken);
  }
}
const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
const alone = median(times.get("deno_alone")!);
console.log("case              median    × deno alone    limit");
for (const { name, limit } of cases) {
  const taken = median(times.get(name)!);
  const ratio = (taken / alone).toFixed(1);
  const kept = limit ? `${limit} ms, ${(100 * taken / limit).toFixed(0)} % of it` : "";
  console.log(`${name.padEnd(16)} ${taken.toFixed(0).padStart(4)} ms    ${ratio.padStart(12)}    ${kept}`.trimEnd());
}
