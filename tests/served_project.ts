// The project as others get it: over http, used from a folder that has nothing of it.
import { root } from "./cli/command_process.ts";

/** Give `use` a new folder, which is removed afterwards. */
export async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "limner_elsewhere_" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const types = { ts: "application/typescript", json: "application/json" };

/**
 * Serve the project's folder while `use` runs.
 *
 * @param onServed Called with the bytes of each file that is served.
 * @returns The paths that were asked for.
 */
export async function servingProject(
  use: (base: string) => Promise<void>,
  onServed?: (bytes: number) => void,
): Promise<string[]> {
  const asked: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    asked.push(pathname);
    const type = types[pathname.split(".").at(-1) as keyof typeof types] ?? "application/octet-stream";
    try {
      const file = await Deno.open(root + pathname.slice(1));
      onServed?.((await file.stat()).size);
      return new Response(file.readable, { headers: { "content-type": type } });
    } catch {
      return new Response("not found", { status: 404 });
    }
  });
  try {
    await use(`http://127.0.0.1:${server.addr.port}/`);
  } finally {
    await server.shutdown();
  }
  return asked;
}
