// The published libraries of Linux and macOS send events to their makers and keep a database of them in the home folder, unless
// they are told not to before they start.
import { assertEquals } from "@std/assert";

/** The files that a process leaves in a home folder of its own when it starts the library; CI's variables, by which the library
 * is silent, are not there. */
async function filesLeft(script: string): Promise<string[]> {
  const home = await Deno.makeTempDir({ prefix: "limner_home_" });
  const cache = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  const named = Deno.env.get("LIMNER_ORT_LIBRARY");
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--ext=ts", "--quiet", script],
      env: { HOME: home, TMPDIR: home, DENO_DIR: cache, ...(named && { LIMNER_ORT_LIBRARY: named }) },
      clearEnv: true,
      cwd: new URL("../../..", import.meta.url).pathname,
    }).output();
    assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
    return await Array.fromAsync(Deno.readDir(home), ({ name }) => name);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

const module = JSON.stringify(new URL("../../../backends/ffi/mod.ts", import.meta.url).href);

Deno.test({
  name: "ffi lets the library report nothing to its makers",
  // Elsewhere the system has the events, if anyone.
  ignore: Deno.build.os === "windows",
  async fn() {
    assertEquals(await filesLeft(`await using backend = await (await import(${module})).load();`), []);
  },
});
