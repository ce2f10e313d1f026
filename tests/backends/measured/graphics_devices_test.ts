import { assertEquals } from "@std/assert";
import { mayHaveGpu } from "../../../backends/measured/graphics_devices.ts";

const linux = (folders: Readonly<Record<string, readonly string[]>>) =>
  mayHaveGpu({ system: "linux", list: (folder) => Promise.resolve(folders[folder] ?? []) });

Deno.test("mayHaveGpu() knows a Linux machine without one by its devices", async () => {
  assertEquals(await linux({ "/dev": ["null", "tty0"] }), false);
  // A virtual machine's screen is no GPU.
  assertEquals(await linux({ "/dev": ["dri"], "/dev/dri": ["card0"] }), false);
  assertEquals(await linux({ "/dev": ["dri"], "/dev/dri": ["card0", "renderD128"] }), true);
  for (const name of ["nvidia0", "nvidiactl", "dxg"]) assertEquals(await linux({ "/dev": ["null", name] }), true);
});

Deno.test("mayHaveGpu() takes it that there may be one where nothing is known", async () => {
  const list = () => Promise.reject(new Deno.errors.NotCapable("no"));
  assertEquals(await mayHaveGpu({ system: "linux", list }), true);
  assertEquals(await mayHaveGpu({ system: "darwin", list }), true);
  assertEquals(await mayHaveGpu({ system: undefined, list }), true);
});
