import { assert, assertEquals } from "@std/assert";
import { load } from "../../../backends/ffi/mod.ts";
import { memory } from "../../process_cost.ts";

const megabyte = 1 << 20;

for (const [lowMemory, bytes] of [[true, 3 * megabyte], [false, 16 * megabyte]] as const) {
  Deno.test({
    name:
      `ffi's buffers are zero, and one of ${bytes} bytes takes no memory before it is written, with lowMemory ${lowMemory}`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      await using backend = await load();
      await backend.open(new Map(), { lowMemory }).then((weights) => weights[Symbol.dispose]());
      const size = bytes / 4;
      const before = memory().own;
      {
        using buffer = backend.allocate("float32", [size]);
        using stream = backend.stream();
        assert(memory().own - before < bytes / 4, `${memory().own - before} bytes were taken for ${bytes}`);
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
    },
  });
}
