import { assertEquals } from "@std/assert";
import { gpuEnvironment } from "../tools/adapter.ts";
import { parseSummary } from "../tools/count_tests.ts";
import { execute } from "./cli/command_process.ts";

Deno.test("parseSummary() reads the counts of the last summary", () => {
  assertEquals(parseSummary("x\n\nok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)\n"), {
    passed: 12,
    failed: 0,
    ignored: 1,
  });
  assertEquals(parseSummary("\x1b[0m\x1b[31mFAILED\x1b[0m | 3 passed | 2 failed \x1b[0m(15ms)\x1b[0m\n"), {
    passed: 3,
    failed: 2,
    ignored: 0,
  });
  assertEquals(parseSummary("ok | 1 passed | 0 failed (1ms)\nok | 2 passed | 0 failed (1ms)\n"), {
    passed: 2,
    failed: 0,
    ignored: 0,
  });
});

Deno.test("parseSummary() finds nothing where no test ran", () => {
  assertEquals(parseSummary("error: Type checking failed.\n"), undefined);
  assertEquals(parseSummary("12 passed, 0 failed\n"), undefined);
});

Deno.test({
  name: "a test that asks for a GPU does not load libEGL, which processes may crash with as they end",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const script = `await navigator.gpu?.requestAdapter();
      console.log(Deno.readTextFileSync("/proc/self/maps").includes("libEGL"));`;
    const { stdout, stderr } = await execute(Deno.execPath(), ["eval", script], { env: gpuEnvironment });
    assertEquals(stdout, "false\n", stderr);
  },
});
