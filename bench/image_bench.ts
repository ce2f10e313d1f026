// Decoding and resizing a picture of 12 megapixels: `deno run -A bench/image_bench.ts`. Where python3 has Pillow, its
// times in the same run stand beside.
import { readImage, type Resample, resize } from "../src/image/mod.ts";
import { encodeJpeg, softPicture } from "./pictures.ts";

/** Width, height and filter: all filters to what ViT sees, and what larger models (TrOCR, Donut) do. */
const resizings: [number, number, Resample][] = [
  ...([0, 1, 2, 3, 4, 5] as const).map((filter): [number, number, Resample] => [224, 224, filter]),
  [384, 384, 2],
  [384, 384, 3],
  [960, 1280, 2],
];
const filters = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];

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
  const source = softPicture(4000, 3000);
  const encode = async (name: string, progressive: boolean): Promise<Uint8Array> => {
    const file = await encodeJpeg(source, progressive);
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
