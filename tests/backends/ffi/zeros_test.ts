import { assert, assertEquals } from "@std/assert";
import { load } from "../../../backends/ffi/mod.ts";
import { deno } from "../../cli/command_process.ts";
import { costFlags } from "../../process_cost.ts";

const megabyte = 1 << 20;

for (const [lowMemory, bytes] of [[true, 3 * megabyte], [false, 16 * megabyte]] as const) {
  Deno.test(`ffi's buffers of ${bytes} bytes are zero, with lowMemory ${lowMemory}`, async () => {
    await using backend = await load();
    await backend.open(new Map(), { lowMemory }).then((weights) => weights[Symbol.dispose]());
    const size = bytes / 4;
    {
      using buffer = backend.allocate("float32", [size]);
      using stream = backend.stream();
      stream.write(buffer, Float32Array.of(7), size - 1);
      const written = Float32Array.from({ length: size / 2 }, (_, i) => i);
      stream.write(buffer, written);
      const { data } = await stream.read(buffer);
      assertEquals(data.subarray(0, size / 2), written);
      assertEquals(data.subarray(size / 2).findIndex((value) => value !== 0), size / 2 - 1);
      assertEquals(backend.counters.deviceBytes, bytes);
    }
    assertEquals(backend.counters.deviceBytes, 0);
    assertEquals(backend.counters.liveHandles, 0);
  });

  Deno.test({
    name: `ffi's buffers of ${bytes} bytes take memory as they are written, with lowMemory ${lowMemory}`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      // In a process of its own, and many of them: what else a process takes and gives back meanwhile is some megabytes.
      const buffers = 96 * megabyte / bytes;
      const script = new URL("zeros_memory.ts", import.meta.url).href;
      const { code, stdout, stderr } = await deno([costFlags, script, ...[lowMemory, bytes, buffers].map(String)]);
      assertEquals(code, 0, stderr);
      const { made, halfWritten } = JSON.parse(stdout);
      assert(made < 16 * megabyte, stdout);
      assert(Math.abs(halfWritten - 48 * megabyte) < 16 * megabyte, stdout);
    },
  });
}
