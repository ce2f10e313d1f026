// The embedded model on one line, from a file's pixels to text.
import { type Backend, Captioner, readImage } from "../mod.ts";

/**
 * Time reading a line of 24 characters in a warm process.
 *
 * @returns Milliseconds: the median of up to 20 readings, or as many as take two seconds.
 */
export async function timeLine(backend: Backend): Promise<number> {
  await using captioner = await Captioner.load(undefined, { backend });
  const image = await readImage(new URL("../assets/examples/line.png", import.meta.url));
  await captioner.caption(image);
  const times: number[] = [];
  const ends = performance.now() + 2000;
  while (times.length < 3 || (times.length < 20 && performance.now() < ends)) {
    const began = performance.now();
    await captioner.caption(image);
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}
