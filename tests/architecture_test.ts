import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { importsOf, violations } from "./architecture.ts";

const root = new URL("../", import.meta.url);

async function projectSources(): Promise<Map<string, string>> {
  const sources = new Map<string, string>();
  const visit = async (path: string): Promise<void> => {
    for await (const entry of Deno.readDir(new URL(path, root))) {
      if (entry.isDirectory) await visit(`${path}${entry.name}/`);
      else if (entry.name.endsWith(".ts")) {
        sources.set(path + entry.name, await Deno.readTextFile(new URL(path + entry.name, root)));
      }
    }
  };
  await visit("src/");
  await visit("backends/");
  for (const file of ["mod.ts", "caption.ts"]) sources.set(file, await Deno.readTextFile(new URL(file, root)));
  return sources;
}

Deno.test("the project's imports keep to the rules", async () => {
  const sources = await projectSources();
  assert(sources.size > 50, `only ${sources.size} files were found`);
  assertEquals(violations(sources), []);
});

Deno.test("importsOf() finds every form of import, and none in comments", () => {
  const source = `// import { no } from "./no.ts";
/**
 * import { no } from "./no.ts";
 */
import one, { two } from "./a.ts";
import {
  three,
} from "./b.ts";
import type { Four } from "./c.ts";
import "./d.ts";
export * from "./e.ts";
export type { Five } from "./f.ts";
export const text = "from";
const six = await import("./g.ts"); // import("./no.ts")
`;
  assertEquals(importsOf(source), [
    { specifier: "./a.ts", kind: "value" },
    { specifier: "./b.ts", kind: "value" },
    { specifier: "./c.ts", kind: "type" },
    { specifier: "./d.ts", kind: "value" },
    { specifier: "./e.ts", kind: "value" },
    { specifier: "./f.ts", kind: "type" },
    { specifier: "./g.ts", kind: "lazy" },
  ]);
});

const broken: readonly { name: string; files: Record<string, string>; message: string }[] = [
  {
    name: "a tensor that knows the graph",
    files: { "src/tensor/a.ts": `import type { Node } from "../graph/mod.ts";` },
    message: "src/tensor may not import src/graph",
  },
  {
    name: "an image processor that knows the graph",
    files: { "src/image/a.ts": `import { Graph } from "../graph/mod.ts";` },
    message: "src/image may not import src/graph",
  },
  {
    name: "a model that knows generation",
    files: { "src/models/vit.ts": `import { generate } from "../generation/mod.ts";` },
    message: "src/models may not import src/generation",
  },
  {
    name: "a model that names a backend",
    files: { "src/models/vit.ts": `const { load } = await import("../../backends/ffi/mod.ts");` },
    message: "see backends",
  },
  {
    name: "a backend loaded before it is asked for",
    files: { "src/load_backend.ts": `import { load } from "../backends/webgpu/mod.ts";` },
    message: "backends are imported lazily",
  },
  {
    name: "a backend that knows a model",
    files: { "backends/ffi/a.ts": `import { vit } from "../../src/models/vit.ts";` },
    message: "backends/ffi may not import src/models",
  },
  {
    name: "a backend that knows another",
    files: { "backends/webgpu/a.ts": `import { load } from "../reference/mod.ts";` },
    message: "backends/webgpu may not import backends/reference",
  },
  {
    name: "a cycle of files",
    files: {
      "src/image/a.ts": `import { b } from "./b.ts";`,
      "src/image/b.ts": `export { c } from "./c.ts";`,
      "src/image/c.ts": `import { a } from "./a.ts";`,
    },
    message: "cycle: src/image/a.ts → src/image/b.ts → src/image/c.ts → src/image/a.ts",
  },
  {
    name: "a native library outside of ffi",
    files: { "src/hub/a.ts": `const library = Deno.dlopen("x", {});` },
    message: "Deno.dlopen stands only in backends/ffi",
  },
  {
    name: "a GPU outside of webgpu",
    files: { "src/models/a.ts": `let device: GPUDevice;\nawait navigator.gpu.requestAdapter();` },
    message: "GPUDevice stands only in backends/webgpu",
  },
  {
    name: "an import whose name is computed",
    files: { "src/image/a.ts": `await import(name);` },
    message: "an import whose name is computed stands only in backends/ffi",
  },
  {
    name: "a library that deno.json does not name",
    files: { "src/image/a.ts": `import jpeg from "npm:some-jpeg@1";` },
    message: "belongs into deno.json's imports",
  },
  {
    name: "a folder without a rule",
    files: { "src/utilities/a.ts": "" },
    message: "no rule says what src/utilities may import",
  },
];

for (const { name, files, message } of broken) {
  Deno.test(`violations() finds ${name}`, () => {
    assertStringIncludes(violations(new Map(Object.entries(files))).join("\n"), message);
  });
}

Deno.test("violations() lets types close a cycle, and a backend be loaded lazily", () => {
  const sources = new Map([
    ["src/image/a.ts", `import type { B } from "./b.ts";`],
    ["src/image/b.ts", `import { a } from "./a.ts";`],
    ["src/load_backend.ts", `import type { Backend } from "./graph/mod.ts";\nawait import("../backends/ffi/mod.ts");`],
    ["backends/ffi/mod.ts", `import { encode } from "../onnx/mod.ts";\nDeno.dlopen("x", {});`],
  ]);
  assertEquals(violations(sources), []);
});
