import { assert, assertEquals } from "@std/assert";
import { load } from "../../../backends/ffi/mod.ts";
import { memory } from "../../process_cost.ts";

Deno.test({
  name: "ffi's buffers are zero, and a large one takes no memory before it is written where memory is spared",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using backend = await load();
    await backend.open(new Map(), { lowMemory: true }).then((weights) => weights[Symbol.dispose]());
    const size = 1 << 22;
    const before = memory().own;
    {
      using buffer = backend.allocate("float32", [size]);
      using stream = backend.stream();
      assert(memory().own - before < size, `${memory().own - before} bytes were taken for ${4 * size}`);
      stream.write(buffer, Float32Array.of(7), size - 1);
      const written = Float32Array.from({ length: size / 2 }, (_, i) => i);
      stream.write(buffer, written);
      const { data } = await stream.read(buffer);
      assertEquals(data.subarray(0, size / 2), written);
      assertEquals(data.subarray(size / 2).findIndex((value) => value !== 0), size / 2 - 1);
      assertEquals(backend.counters.deviceBytes, 4 * size);
    }
    assertEquals(backend.counters.deviceBytes, 0);
    assertEquals(backend.counters.liveHandles, 0);
  },
});
