import { assert, assertEquals } from "@std/assert";
import { callLater, takeTurn } from "../../src/async/delay.ts";
import { execute } from "../cli/command_process.ts";

Deno.test("callLater() calls later, once, and not at all where it is called off", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const began = performance.now();
  const calls: string[] = [];
  const cancel = callLater(5, () => calls.push("called off"));
  callLater(20, () => calls.push("late") && resolve());
  cancel();
  cancel();
  assertEquals(calls, []);
  await promise;
  assert(performance.now() - began > 15);
  assertEquals(calls, ["late"]);
});

Deno.test("takeTurn() lets what waits go on", async () => {
  const done: string[] = [];
  const reading = Deno.stat(".").then(() => done.push("read"));
  // What reads files may be held up for long on a busy machine; were no turn taken, it would not be done in any time.
  const end = performance.now() + 10_000;
  while (done.length === 0 && performance.now() < end) await takeTurn();
  assertEquals(done, ["read"]);
  await reading;
});

Deno.test("a delay keeps a process alive, one that was called off does not, and neither loads Node's timers", async () => {
  const script = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      script,
      `import { callLater, takeTurn } from "${new URL("../../src/async/delay.ts", import.meta.url)}";
callLater(60_000, () => {})();
callLater(500, () => console.log("late"));
await takeTurn();
console.log("a turn later");`,
    );
    const { stdout, stderr } = await execute(Deno.execPath(), ["run", "--log-level=debug", script]);
    assertEquals(stdout, "a turn later\nlate\n");
    assert(stderr.includes("delay.ts") && !stderr.includes("node:timers"), stderr.slice(-2000));
  } finally {
    await Deno.remove(script);
  }
});
