// The code in the documentation runs: README.md's, that of the pages, and the examples of what is exported. The twins of
// from-transformers.md need checkpoints: from_transformers_test.ts runs them.
import { assert } from "@std/assert";
import { testedBackends } from "./backends/tested_backends.ts";
import { root } from "./cli/command_process.ts";

const pages = [...Deno.readDirSync(`${root}docs`)].map(({ name }) => `docs/${name}`)
  .filter((name) => name.endsWith(".md") && !name.endsWith("from-transformers.md"));

Deno.test("the code in README.md, on the pages and in docstrings runs", async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...[
        "test",
        "--doc",
        "--no-check", // `deno task check` looks at the types
        "-A",
        "--quiet",
        "README.md",
        ...pages,
        "mod.ts",
        "caption.ts",
        "src",
        "backends/ffi/mod.ts",
        "backends/wasm/mod.ts",
      ],
      ...(testedBackends.includes("webgpu") ? ["backends/webgpu/mod.ts"] : []),
    ],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const ran = Number(/^ok \| (\d+) passed/m.exec(said)?.[1] ?? 0);
  assert(success && ran >= 25, said);
});
