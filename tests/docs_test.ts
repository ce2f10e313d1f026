// The code in the documentation runs: README.md's, and the examples of what is exported.
import { assert } from "@std/assert";
import { testedBackends } from "./backends/tested_backends.ts";
import { root } from "./cli/command_process.ts";

Deno.test("the code in README.md and in docstrings runs", async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["test", "--doc", "-A", "--quiet", "README.md", "mod.ts", "caption.ts", "src", "backends/ffi/mod.ts"],
      ...(testedBackends.includes("webgpu") ? ["backends/webgpu/mod.ts"] : []),
    ],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const ran = Number(/^ok \| (\d+) passed/m.exec(said)?.[1] ?? 0);
  assert(success && ran >= 8, said);
});
