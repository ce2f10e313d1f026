import { assertEquals, assertThrows } from "@std/assert";
import { rewritePackage } from "../../tools/bundle/packages.ts";

const compiler = "file:///compile.ts";

Deno.test("rewritePackage() spells out a name that is computed, and has WebAssembly compiled by name", () => {
  const modules = new Map<string, string>();
  const source = `const version = "1.2.3";
const packageName: string = ["npm:@a/b", version].join("@");
export const script = () => import(\`\${packageName}/c.mjs\`);
export const all = () => import(packageName);
// @ts-ignore: not yet
export const wasm = () => import.source(\`\${packageName}/d/e.wasm\`);
`;
  const text = rewritePackage(source, compiler, modules);
  assertEquals([...modules], [["a-b-1.2.3-d-e.wasm", "npm:@a/b@1.2.3/d/e.wasm"]]);
  assertEquals(text.split("\n").filter((line) => /import|compile/.test(line)), [
    `import { compileModule } from "${compiler}";`,
    `export const script = () => import("npm:@a/b@1.2.3/c.mjs");`,
    `export const all = () => import("npm:@a/b@1.2.3");`,
    `export const wasm = () => compileModule("a-b-1.2.3-d-e.wasm");`,
  ]);
});

Deno.test("rewritePackage() leaves a package as it is whose name is spelt out", () => {
  const source = `export { a } from "npm:a@1.2.3";\n`;
  assertEquals(rewritePackage(source, compiler, new Map()), source);
});

Deno.test("rewritePackage() refuses an import that it does not understand", () => {
  assertThrows(() => rewritePackage("const a = import(name);", compiler, new Map()), Error, "is not understood");
});
