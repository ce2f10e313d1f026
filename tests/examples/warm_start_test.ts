// The examples that train do what they say, in a short form.
import { assert, assertEquals } from "@std/assert";
import { deno } from "../cli/command_process.ts";

Deno.test("warm_start.ts teaches two checkpoints to write together", async () => {
  const { code, stdout, stderr } = await deno(["examples/warm_start.ts"], { env: { WARM_START_STEPS: "100" } });
  assertEquals(code, 0, stderr);
  const [before, after] = [...stdout.matchAll(/loss (\d+\.\d+)/g)].map(([, loss]) => Number(loss));
  assert(after < before / 2, stdout);
});
