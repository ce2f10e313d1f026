// The test command: gives the tests the GPU adapter they need where it may, runs them, and ends with a line that counts
// them. `deno run -A tools/test.ts [FILE...]`; it needs Deno only.
import { adapterIsThere, installSoftwareAdapter } from "./adapter.ts";
import { countTests } from "./count_tests.ts";

const inCi = (Deno.env.get("CI") ?? "false") !== "false";
const root = new URL("../", import.meta.url);

let missing = "";
if (!await adapterIsThere()) {
  missing = await installSoftwareAdapter() || (await adapterIsThere() ? "" : "the installed driver gives no adapter");
}
const skip = missing !== "" && !inCi;

const child = new Deno.Command(Deno.execPath(), {
  args: [
    ...["test", "-A", "--quiet"],
    ...(skip ? ["--ignore=tests/backends/webgpu"] : []),
    ...(Deno.args.length > 0 ? Deno.args : ["tests"]),
  ],
  cwd: root,
  env: skip ? { LIMNER_TESTS_WITHOUT: "webgpu" } : {},
  stdin: "null",
  stdout: "piped",
}).spawn();
const counts = await countTests(child.stdout);
const { success } = await child.status;

const problems: string[] = [];
if (skip) console.log(`not run: the tests of the webgpu backend, because ${missing}`);
else if (missing) problems.push(missing);
if (inCi && counts && counts.ignored > 0) problems.push(`${counts.ignored} tests were ignored`);
for (const problem of problems) console.log(`in CI nothing may be skipped: ${problem}`);
// Without a summary the tests did not start, which is a failure too.
const failed = counts?.failed || (success && counts && problems.length === 0 ? 0 : 1);
console.log(`${counts?.passed ?? 0} passed, ${failed} failed`);
Deno.exit(failed === 0 ? 0 : 1);
