// Decoding and resizing a picture of 12 megapixels: `deno run -A bench/image_bench.ts`. Where python3 has Pillow, its
// times in the same run stand beside.
import encodeJpeg from "@jsquash/jpeg/encode.js";
import { RawImage, readImage, type Resample, resize } from "../src/image/mod.ts";

/** Width, height and filter: all filters to what ViT sees, and what larger models (TrOCR, Donut) do. */
const resizings: [number, number, Resample][] = [
  ...([0, 1, 2, 3, 4, 5] as const).map((filter): [number, number, Resample] => [224, 224, filter]),
  [384, 384, 2],
  [384, 384, 3],
  [960, 1280, 2],
];
const filters = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];

/** A soft picture with fine noise, the same each time. */
function picture(width: number, height: number): RawImage {
  const data = new Uint8Array(width * height * 3);
  let state = 1;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    data[i] = 128 + 90 * Math.sin(x / (90 + 10 * (i % 3))) * Math.cos(y / 70) + (state >>> 28);
  }
  return new RawImage(data, width, height, 3);
}

/** The best time of `work` in milliseconds, of 7 rounds and 300 ms at least, in which the compilers have their say. */
async function best(work: () => unknown): Promise<number> {
  let least = Infinity;
  const start = performance.now();
  for (let round = 0; round < 7 || performance.now() - start < 300; round++) {
    const began = performance.now();
    await work();
    least = Math.min(least, performance.now() - began);
  }
  return least;
}

const python = `
import io, json, sys, time
from PIL import Image
folder, resizings = sys.argv[1], json.loads(sys.argv[2])
def best(work):
    times = []
    while len(times) < 7 or sum(times) < 0.3:
        began = time.perf_counter(); work(); times.append(time.perf_counter() - began)
    return min(times) * 1000
data = open(folder + "/picture.jpg", "rb").read()
image = Image.open(io.BytesIO(data)).convert("RGB")
def decode(data):
    return best(lambda: Image.open(io.BytesIO(data)).load())
times = [decode(data), decode(open(folder + "/progressive.jpg", "rb").read())]
times += [best(lambda: image.resize((width, height), filter)) for width, height, filter in resizings]
print(json.dumps(times))
`;

const folder = await Deno.makeTempDir();
try {
  const source = picture(4000, 3000);
  const rgba = new ImageData(source.width, source.height);
  for (let from = 0, to = 0; from < source.data.length; from += 3, to += 4) {
    rgba.data.set([source.data[from], source.data[from + 1], source.data[from + 2], 255], to);
  }
  const encode = async (name: string, progressive: boolean): Promise<Uint8Array> => {
    const file = new Uint8Array(await encodeJpeg(rgba, { quality: 85, progressive }));
    await Deno.writeFile(`${folder}/${name}.jpg`, file);
    return file;
  };
  const file = await encode("picture", false);
  const progressive = await encode("progressive", true);

  const image = await readImage(file);
  const ours = [await best(() => readImage(file)), await best(() => readImage(progressive))];
  for (const [width, height, filter] of resizings) ours.push(await best(() => resize(image, width, height, filter)));
  const command = new Deno.Command("python3", {
    args: ["-c", python, folder, JSON.stringify(resizings)],
    stderr: "null",
  });
  const output = await command.output().catch(() => undefined);
  const theirs: number[] = output?.success ? JSON.parse(new TextDecoder().decode(output.stdout)) : [];
  const names = [
    "decode_jpeg_12mp",
    "decode_jpeg_12mp_progressive",
    ...resizings.map(([width, height, filter]) => `resize_12mp_to_${width}x${height}_${filters[filter]}`),
  ];
  console.log(`${"case".padEnd(34)}${"Limner, ms".padStart(12)}${"Python, ms".padStart(12)}${"ratio".padStart(8)}`);
  names.forEach((name, i) => {
    const [peer, ratio] = theirs[i] ? [theirs[i].toFixed(2), (ours[i] / theirs[i]).toFixed(2)] : ["-", "-"];
    console.log(`${name.padEnd(34)}${ours[i].toFixed(2).padStart(12)}${peer.padStart(12)}${ratio.padStart(8)}`);
  });
} finally {
  await Deno.remove(folder, { recursive: true });
}
