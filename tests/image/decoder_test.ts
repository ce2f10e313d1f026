import { assertEquals, assertRejects } from "@std/assert";
import { RawImage } from "../../mod.ts";
import { onInstances } from "../../src/image/formats/_wasm_decoder.ts";
import { readHeader } from "../../src/image/formats/headers/read_header.ts";

const picture = new RawImage(new Uint8Array(3), 1, 1, 3);
const bytes = await Deno.readFile(new URL("../../assets/examples/line.png", import.meta.url));

Deno.test("a decoder that could not start, or failed, starts again for the next picture", async () => {
  const faults = ["start", "decode"];
  let starts = 0;
  const decode = onInstances(() => {
    starts++;
    if (faults[0] === "start") return Promise.reject(new Error(faults.shift()));
    return {
      memory: new WebAssembly.Memory({ initial: 0 }),
      decode: () => {
        if (faults.length > 0) throw new Error(faults.shift());
        return picture;
      },
    };
  });
  const header = await readHeader(bytes, "line.png");
  await assertRejects(() => Promise.resolve(decode(bytes, header)), Error, "start");
  await assertRejects(() => Promise.resolve(decode(bytes, header)), Error, "decode");
  assertEquals([await decode(bytes, header), await decode(bytes, header), starts], [picture, picture, 3]);
});
