// The page of examples/web, bundled into a folder that any server of files can serve:
//   deno task web [--output dist/web] [--port 8000]
// With a port it serves the folder on this machine.
import { parseArgs } from "../src/packages/std_cli.ts";
import { bundle, root } from "./bundle/bundle.ts";

const platform = new URL("examples/web/platform/", root);

/** Node's modules that the library names, and what a browser has in their place. */
function nodeModules(): Record<string, string> {
  const absent = new URL("absent.ts", platform).href;
  const names = ["crypto", "dns", "http", "https", "net", "tls", "zlib", "module"];
  return {
    ...Object.fromEntries(names.map((name) => [`node:${name}`, absent])),
  };
}

/** Bundle the page. */
export async function buildPage(output: string): Promise<void> {
  const deno = "examples/web/platform/deno.ts";
  await bundle(output, {
    scripts: {
      page: ["examples/web/page/page.ts"],
      reader: [deno, "examples/web/reader.ts"],
      image_worker: [deno, "src/image/image_worker.ts"],
      service_worker: ["examples/web/service_worker.ts"],
    },
    platform: "browser",
    compiler: new URL("compile_module.ts", platform),
    imports: { "@limner/limner": new URL("mod.ts", root).href, ...nodeModules() },
    minify: true,
  });
  for (const name of ["index.html", "style.css"]) {
    await Deno.copyFile(new URL(`examples/web/page/${name}`, root), `${output}/${name}`);
  }
  await listPage(output);
}

/** Tell the service worker which files the page is made of; a changed file makes another hash. */
async function listPage(output: string): Promise<void> {
  const files = ["./"];
  const bytes: Uint8Array<ArrayBuffer>[] = [];
  for (
    const { name, isFile } of (await Array.fromAsync(Deno.readDir(output))).sort((a, b) => a.name < b.name ? -1 : 1)
  ) {
    if (!isFile || name === "service_worker.js") continue;
    if (name !== "index.html") files.push(`./${name}`);
    bytes.push(new TextEncoder().encode(name), await Deno.readFile(`${output}/${name}`));
  }
  const digest = await crypto.subtle.digest("SHA-256", await new Blob(bytes).arrayBuffer());
  const hash = new Uint8Array(digest).slice(0, 8).toHex();
  const script = `${output}/service_worker.js`;
  const text = await Deno.readTextFile(script);
  await Deno.writeTextFile(script, `const page = ${JSON.stringify({ hash, files })};\n${text}`);
}

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript",
  css: "text/css",
  json: "application/json",
  wasm: "application/wasm",
};

/** A handler that serves a folder's files. */
export function servesFolder(folder: string): (request: Request) => Promise<Response> {
  return async (request) => {
    const { pathname } = new URL(request.url);
    const name = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    try {
      const path = decodeURIComponent(name);
      if (path.split(/[/\\]/).includes("..")) throw new Deno.errors.NotFound();
      const file = await Deno.open(folder + path);
      const headers = { "content-type": types[name.split(".").at(-1)!] ?? "application/octet-stream" };
      return new Response(file.readable, { headers: { ...headers, "content-length": `${(await file.stat()).size}` } });
    } catch {
      return new Response("There is no such file\n", { status: 404 });
    }
  };
}

if (import.meta.main) {
  const { output = "dist/web", port } = parseArgs(Deno.args, { string: ["output", "port"] });
  await buildPage(output);
  console.log(`The page is in ${output}`);
  if (port !== undefined) Deno.serve({ port: Number(port), hostname: "localhost" }, servesFolder(output));
}
