import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { importsOf, violations } from "./architecture.ts";
import { projectSources } from "./project_sources.ts";
import { functionsOf, oversized } from "./sizes.ts";

Deno.test("the project's imports keep to the rules", async () => {
  const sources = await projectSources();
  assert(sources.size > 50, `only ${sources.size} files were found`);
  assertEquals(violations(sources), []);
});

Deno.test("files, folders and functions are of a size that can be taken in", async () => {
  assertEquals(oversized(await projectSources()), []);
});

Deno.test("oversized() finds what is too large, and measures functions and methods", () => {
  const body = (lines: number) => "    call();\n".repeat(lines);
  const source = `export function one(\n  a: number,\n): void {\n${
    body(60)
  }}\n\nclass B {\n  async #two(): Promise<void> {\n${body(3)}  }\n}\n`;
  assertEquals(functionsOf(source).map(({ lines }) => lines), [64, 5]);
  assertEquals(oversized(new Map([["src/a/b.ts", source]])).length, 1);
  assertEquals(oversized(new Map([["src/a/b.ts", "\n".repeat(340) + "x"]])).length, 1);
  assertEquals(oversized(new Map([...Array(25).keys()].map((i) => [`src/a/${i}.ts`, ""]))).length, 1);
});

Deno.test("the drawing of the rooms is what the sources say", async () => {
  const script = new URL("../tools/draw_rooms.ts", import.meta.url);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args: ["run", "-A", script.href, "--check"] })
    .output();
  assert(success, new TextDecoder().decode(stderr));
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
const seven = await import.source("npm:h@1.2.3/i.wasm");
`;
  assertEquals(importsOf(source), [
    { specifier: "./a.ts", kind: "value" },
    { specifier: "./b.ts", kind: "value" },
    { specifier: "./c.ts", kind: "type" },
    { specifier: "./d.ts", kind: "value" },
    { specifier: "./e.ts", kind: "value" },
    { specifier: "./f.ts", kind: "type" },
    { specifier: "./g.ts", kind: "lazy" },
    { specifier: "npm:h@1.2.3/i.wasm", kind: "lazy" },
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
    message: "sees backends",
  },
  {
    name: "a backend loaded before it is asked for",
    files: { "backends/load_backend.ts": `import { load } from "./webgpu/mod.ts";` },
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
    name: "a cycle of types",
    files: {
      "src/image/a.ts": `import type { B } from "./b.ts";`,
      "src/image/b.ts": `import { a } from "./a.ts";`,
    },
    message: "cycle: src/image/a.ts → src/image/b.ts → src/image/a.ts",
  },
  {
    name: "a folder's own file that another folder imports",
    files: { "src/image/a.ts": `import { b } from "./formats/_b.ts";` },
    message: "src/image/a.ts imports src/image/formats/_b.ts, which is private to src/image/formats/",
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
    name: "a package named where it is used",
    files: { "src/image/a.ts": `import jpeg from "npm:some-jpeg@1.0.0";` },
    message: "src/image/a.ts imports npm:some-jpeg@1.0.0: only src/packages names packages",
  },
  {
    name: "a name that only an import map knows",
    files: { "src/image/a.ts": `const module = await import.source("some-jpeg/jpeg.wasm");` },
    message: "src/image/a.ts imports some-jpeg/jpeg.wasm: only src/packages names packages",
  },
  {
    name: "a package that only an import map knows",
    files: { "src/packages/a.ts": `export * from "some-jpeg";` },
    message: "some-jpeg is not a package with its version",
  },
  {
    name: "a package of npm without an exact version",
    files: { "src/packages/a.ts": `export * from "npm:some-jpeg@^1.0.0";` },
    message: "npm:some-jpeg@^1.0.0 is not a package with its version",
  },
  {
    name: "two packages in a file",
    files: { "src/packages/a.ts": `export * from "npm:some-jpeg@1.0.0";\nexport * from "npm:some-png@1.0.0/a.js";` },
    message: "src/packages/a.ts names more than one package: npm:some-jpeg@1.0.0, npm:some-png@1.0.0",
  },
  {
    name: "two versions of a package",
    files: {
      "src/packages/a.ts": `export * from "npm:@b/c@1.0.0";\nexport const load = () => import("npm:@b/c@1.0.1");`,
    },
    message: "src/packages/a.ts names more than one package: npm:@b/c@1.0.0, npm:@b/c@1.0.1",
  },
  {
    name: "a package in two files",
    files: {
      "src/packages/a.ts": `export * from "jsr:@b/c@^1";`,
      "src/packages/b.ts": `export * from "jsr:@b/c@^1/d";`,
    },
    message: "src/packages/b.ts: @b/c is named in src/packages/a.ts too",
  },
  {
    name: "a file in no folder",
    files: { "src/a.ts": "" },
    message: "no rule says what src/a.ts may import",
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

Deno.test("violations() lets a backend be loaded lazily, and a package be named in its file", () => {
  const sources = new Map([
    ["src/image/formats/a.ts", `import type { B } from "./_b.ts";`],
    [
      "backends/load_backend.ts",
      `import type { Backend } from "../src/graph/mod.ts";\nawait import("./ffi/mod.ts");`,
    ],
    ["src/packages/a.ts", `export * from "npm:@b/c@1.0.0";\nexport const load = () => import("npm:@b/c@1.0.0/d.js");`],
    ["src/image/d.ts", `import { load } from "../packages/a.ts";\nimport { inflate } from "node:zlib";`],
    ["backends/ffi/mod.ts", `import { encode } from "../onnx/mod.ts";\nDeno.dlopen("x", {});`],
  ]);
  assertEquals(violations(sources), []);
});
