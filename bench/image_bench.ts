// Decoding and resizing a picture of 12 megapixels: `deno run -A bench/image_bench.ts`. Where python3 has Pillow, its
// times in the same run stand beside.
import encodeJpeg from "@jsquash/jpeg/encode.js";
import { RawImage, readImage, resize } from "../src/image/mod.ts";

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

/** The best of `rounds` times of `work`, in milliseconds. */
async function best(work: () => unknown, rounds = 7): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    await work();
    least = Math.min(least, performance.now() - began);
  }
  return least;
}

const python = `
import io, json, sys, time
from PIL import Image
folder, = sys.argv[1:]
def best(work, rounds=7):
    times = []
    for _ in range(rounds):
        began = time.perf_counter(); work(); times.append(time.perf_counter() - began)
    return min(times) * 1000
data = open(folder + "/picture.jpg", "rb").read()
image = Image.open(io.BytesIO(data)).convert("RGB")
times = [best(lambda: Image.open(io.BytesIO(data)).load())]
times += [best(lambda: image.resize((224, 224), filter)) for filter in (2, 3, 1)]
print(json.dumps(times))
`;

const folder = await Deno.makeTempDir();
try {
  const source = picture(4000, 3000);
  const rgba = new ImageData(source.width, source.height);
  for (let from = 0, to = 0; from < source.data.length; from += 3, to += 4) {
    rgba.data.set([source.data[from], source.data[from + 1], source.data[from + 2], 255], to);
  }
  const file = new Uint8Array(await encodeJpeg(rgba, { quality: 85 }));
  await Deno.writeFile(`${folder}/picture.jpg`, file);

  const image = await readImage(file);
  const ours = [await best(() => readImage(file))];
  for (const filter of [2, 3, 1] as const) ours.push(await best(() => resize(image, 224, 224, filter)));
  const command = new Deno.Command("python3", {
    args: ["-c", python, folder],
    stderr: "null",
  });
  const output = await command.output().catch(() => undefined);
  const theirs: number[] = output?.success ? JSON.parse(new TextDecoder().decode(output.stdout)) : [];
  const names = [
    "decode_jpeg_12mp",
    ...["bilinear", "bicubic", "lanczos"].map((filter) => `resize_12mp_to_224_${filter}`),
  ];
  console.log(`${"case".padEnd(30)}${"Limner, ms".padStart(12)}${"Python, ms".padStart(12)}${"ratio".padStart(8)}`);
  names.forEach((name, i) => {
    const [peer, ratio] = theirs[i] ? [theirs[i].toFixed(1), (ours[i] / theirs[i]).toFixed(2)] : ["-", "-"];
    console.log(`${name.padEnd(30)}${ours[i].toFixed(1).padStart(12)}${peer.padStart(12)}${ratio.padStart(8)}`);
  });
} finally {
  await Deno.remove(folder, { recursive: true });
}
