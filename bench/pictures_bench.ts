// How long the command takes over 40 photographs of 12 megapixels: `deno run -A bench/pictures_bench.ts [OTHER_CHECKOUT]`.
// With the folder of another checkout both run in turns, and the last column is this one's share of the other's time.
// Processor seconds are told too: on a machine that others use they say more than the clock.
import { encodeJpeg, softPicture } from "./pictures.ts";

const count = 40;
const turns = 5;
const here = new URL("../", import.meta.url).pathname;
const checkouts = [here, ...Deno.args];

interface Taken {
  readonly seconds: number;
  readonly processor: number;
  readonly texts: readonly string[];
}

/** Run the command of a checkout over pictures. */
async function timeCaption(checkout: string, pictures: readonly string[]): Promise<Taken> {
  const command = [Deno.execPath(), "run", "-A", "--quiet", "caption.ts", "--json", "--backend", "ffi", ...pictures];
  const began = performance.now();
  const { success, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", 'TIMEFORMAT="%U %S"; time "$@"', "bash", ...command],
    cwd: checkout,
    env: { LC_ALL: "C" },
  }).output();
  const seconds = (performance.now() - began) / 1000;
  const said = new TextDecoder().decode(stderr).trim();
  if (!success) throw new Error(`caption.ts of ${checkout} failed: ${said}`);
  const [user, system] = said.split("\n").at(-1)!.split(" ").map(Number);
  const texts = new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line).text);
  return { seconds, processor: user + system, texts };
}

const folder = await Deno.makeTempDir();
try {
  const file = await encodeJpeg(softPicture(4000, 3000));
  const pictures = Array.from({ length: count }, (_, i) => `${folder}/${i}.jpg`);
  for (const picture of pictures) await Deno.writeFile(picture, file);
  const taken = checkouts.map((): Taken[] => []);
  for (let turn = 0; turn <= turns; turn++) {
    // The first turn fills caches.
    for (const [i, checkout] of checkouts.entries()) {
      const one = await timeCaption(checkout, turn === 0 ? pictures.slice(0, 2) : pictures);
      if (turn > 0) taken[i].push(one);
    }
  }
  const sorted = (i: number, what: "seconds" | "processor") =>
    taken[i].map((one) => one[what]).toSorted((a, b) => a - b);
  console.log(`${count} JPEGs of 4000 x 3000, ${turns} turns`);
  console.log("checkout        least s  median s  processor s  share of the other's median");
  checkouts.forEach((_, i) => {
    const seconds = sorted(i, "seconds");
    const median = seconds[turns >> 1];
    const share = i === 0 && checkouts.length > 1 ? (median / sorted(1, "seconds")[turns >> 1]).toFixed(2) : "";
    const cells = [seconds[0].toFixed(2).padStart(7), median.toFixed(2).padStart(9)];
    cells.push(sorted(i, "processor")[turns >> 1].toFixed(1).padStart(12));
    console.log(`${(i === 0 ? "this" : "other").padEnd(15)} ${cells.join(" ")}  ${share}`.trimEnd());
  });
  const [ours, theirs] = taken.map(([{ texts }]) => texts.join("\n"));
  if (theirs !== undefined && ours !== theirs) throw new Error("The two checkouts read different texts");
} finally {
  await Deno.remove(folder, { recursive: true });
}
