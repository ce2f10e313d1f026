import { assert, assertEquals, assertRejects } from "@std/assert";
import { RawImage } from "../mod.ts";
import { decodeCommonJpeg } from "../src/image/_decode_common_jpeg.ts";
import { loadTurbo } from "../src/image/_decode_jpeg.ts";
import { onInstances } from "../src/image/_wasm_decoder.ts";
import { readHeader } from "../src/image/header.ts";

const picture = new RawImage(new Uint8Array(3), 1, 1, 3);
const bytes = await Deno.readFile(new URL("../assets/examples/line.png", import.meta.url));

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
  const header = readHeader(bytes, "line.png");
  await assertRejects(() => Promise.resolve(decode(bytes, header)), Error, "start");
  await assertRejects(() => Promise.resolve(decode(bytes, header)), Error, "decode");
  assertEquals([await decode(bytes, header), await decode(bytes, header), starts], [picture, picture, 3]);
});

/** The JPEGs of random_files.json. */
function randomJpegs(): Uint8Array<ArrayBuffer>[] {
  const cases: [string, string][] = JSON.parse(
    Deno.readTextFileSync(new URL("./fixtures/images/random_files.json", import.meta.url)),
  );
  return cases.filter(([name]) => name.startsWith("JPEG")).map(([, base64]) => Uint8Array.fromBase64(base64));
}

Deno.test("JPEGs of the most common kind need no library, and others do", () => {
  const read = (file: string) => Deno.readFileSync(new URL(`./fixtures/images/${file}`, import.meta.url));
  for (const bytes of randomJpegs()) {
    const { width, height } = readHeader(bytes, "random.jpg");
    const image = decodeCommonJpeg(bytes);
    assertEquals([image?.width, image?.height], width < 8 ? [undefined, undefined] : [width, height]);
  }
  for (const file of ["progressive", "cmyk_plain", "stored_rgb", "sampling_411", "sampling_440"]) {
    assertEquals(decodeCommonJpeg(read(`formats/${file}.jpg`)), undefined, file);
  }
});

Deno.test("decoding a damaged JPEG without the library gives no picture that the library refuses", async () => {
  const turbo = await loadTurbo();
  const files = randomJpegs();
  let state = 1, decoded = 0, equal = 0;
  const random = (below: number): number => ((state = (state * 16807) % 0x7fffffff) >> 8) % below;
  for (let round = 0; round < 3000; round++) {
    const bytes = files[random(files.length)].slice();
    const header = readHeader(bytes, "random.jpg");
    for (let i = 0; i <= round % 3; i++) bytes[2 + random(bytes.length - 2)] = random(256);
    const image = decodeCommonJpeg(bytes);
    if (image?.width !== header.width || image.height !== header.height) continue;
    decoded++;
    const expected = await turbo(bytes, header);
    if (image.data.every((sample, i) => sample === expected.data[i])) equal++;
  }
  // Values that no encoder writes are clipped by libjpeg-turbo's SIMD code, as here, and not by its scalar code.
  assert(decoded > 500 && equal > 0.8 * decoded, `${decoded} were decoded, ${equal} to the same pixels`);
});
