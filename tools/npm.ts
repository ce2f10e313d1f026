// The package for npm, for Node and Bun: one folder that needs no other package, with the backends `wasm` and `reference`.
//   deno task npm [--output dist/npm]
import { parseArgs } from "../src/packages/std_cli.ts";
import { bundle, root } from "./bundle/bundle.ts";

/** The entry points that have a use outside of Deno. */
const entries: Readonly<Record<string, string>> = {
  ".": "mod",
  "./wasm": "wasm",
  "./training": "training",
  "./serve": "serve",
};

/** Make the package. */
export async function buildPackage(output: string): Promise<void> {
  const deno = "tools/bundle/node/deno.ts";
  const { name, version, license, exports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  await bundle(output, {
    scripts: {
      ...Object.fromEntries(Object.entries(entries).map(([entry, script]) => [script, [deno, exports[entry]]])),
      image_worker: [deno, "src/image/image_worker.ts"],
      model_worker: [deno, "src/serve/worker/model_worker.ts"],
    },
    platform: "deno",
    compiler: new URL("tools/bundle/node/compile_module.ts", root),
    imports: { "@limner/limner": new URL("mod.ts", root).href },
  });
  const manifest = {
    ...{ name, version, license, type: "module", engines: { node: ">=24" } },
    exports: Object.fromEntries(Object.entries(entries).map(([entry, script]) => [entry, `./${script}.js`])),
  };
  await Deno.writeTextFile(`${output}/package.json`, `${JSON.stringify(manifest, null, 2)}\n`);
  await Deno.copyFile(new URL("LICENSE", root), `${output}/LICENSE`);
}

if (import.meta.main) {
  const { output = "dist/npm" } = parseArgs(Deno.args, { string: ["output"] });
  await buildPackage(output);
  console.log(`The package is in ${output}`);
}
