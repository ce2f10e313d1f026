// The test command: gives the tests the GPU adapter they need where it may, runs them, and ends with a line that counts
// them. `deno run -A tools/test.ts [FILE...]`; it needs Deno only. Types are checked by `deno task check`.
import { adapterIsThere, gpuEnvironment, installSoftwareAdapter } from "./adapter.ts";
import { type Counts, countTests } from "./count_tests.ts";

const inCi = (Deno.env.get("CI") ?? "false") !== "false";
const root = new URL("../", import.meta.url);
/** Processes at a time: a test may use a second core itself, and some measure what they take of the processor. */
const jobs = Math.min(2, navigator.hardwareConcurrency);

/** Folders whose tests take minutes: they come first, so that at the end no process is alone with one. */
const longest = ["tests", "tests/backends/webgpu", "tests/training", "tests/generation"];

/** What a run of some files came to. */
interface Result {
  readonly name: string;
  readonly success: boolean;
  readonly counts: Counts | undefined;
}

/** The files of tests, by their folder. */
function* testFiles(folder = "tests"): Generator<[folder: string, files: string[]]> {
  const entries = [...Deno.readDirSync(new URL(folder, root))].sort((a, b) => a.name < b.name ? -1 : 1);
  const files = entries.filter(({ name, isFile }) => isFile && name.endsWith("_test.ts"));
  if (files.length > 0) yield [folder, files.map(({ name }) => `${folder}/${name}`)];
  for (const { name, isDirectory } of entries) {
    if (isDirectory && name !== "fixtures") yield* testFiles(`${folder}/${name}`);
  }
}

/** Run files in a process; what it prints is shown as it comes, or once it has ended. */
async function run(name: string, files: readonly string[], { whole = false } = {}): Promise<Result> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--quiet", ...files],
    cwd: root,
    env: { ...gpuEnvironment, ...skip && { LIMNER_TESTS_WITHOUT: "webgpu" } },
    stdin: "null",
    stdout: "piped",
    stderr: whole ? "piped" : "inherit",
  }).spawn();
  if (!whole) return { name, counts: await countTests(child.stdout), success: (await child.status).success };
  const { success, stdout, stderr } = await child.output();
  const counts = await countTests(ReadableStream.from([stdout]));
  for (let at = 0; at < stderr.length;) at += Deno.stderr.writeSync(stderr.subarray(at));
  return { name, success, counts };
}

/** Run every folder's tests in processes of their own, some at a time. */
async function runAll(): Promise<Result[]> {
  const isLong = ([folder]: readonly [string, ...unknown[]]) => longest.includes(folder);
  const open = [...testFiles()].filter(([folder]) => !(skip && folder.startsWith("tests/backends/webgpu")))
    .sort((a, b) => Number(isLong(b)) - Number(isLong(a)));
  const results: Result[] = [];
  const work = async () => {
    for (let next = open.shift(); next; next = open.shift()) results.push(await run(...next, { whole: true }));
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return results;
}

let missing = "";
if (!await adapterIsThere()) {
  missing = await installSoftwareAdapter() || (await adapterIsThere() ? "" : "the installed driver gives no adapter");
}
const skip = missing !== "" && !inCi;

const results = Deno.args.length > 0 ? [await run(Deno.args.join(" "), Deno.args)] : await runAll();
const total = (key: keyof Counts) => results.reduce((sum, { counts }) => sum + (counts?.[key] ?? 0), 0);

const problems: string[] = [];
if (skip) console.log(`not run: the tests of the webgpu backend, because ${missing}`);
else if (missing) problems.push(missing);
if (inCi && total("ignored") > 0) problems.push(`${total("ignored")} tests were ignored`);
for (const problem of problems) console.log(`in CI nothing may be skipped: ${problem}`);
// Where there is no summary, or no test failed and yet the process did, the tests did not start or did not end.
const broken = results.filter(({ counts, success }) => !counts || (!success && counts.failed === 0));
for (const { name } of broken) console.log(`failed: the tests of ${name} did not run to their end`);
for (const { name, counts } of results) if (counts?.failed) console.log(`failed: ${counts.failed} of ${name}`);
const failed = total("failed") + broken.length + problems.length;
console.log(`${total("passed")} passed, ${failed} failed`);
Deno.exit(failed === 0 ? 0 : 1);
