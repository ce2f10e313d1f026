import { assert, assertEquals, assertRejects } from "@std/assert";
import { Captioner, DeviceLostError, type RawImage } from "../../../mod.ts";
import { type CaptionJob, captionJobs, type CaptionJobsOptions } from "../../../src/cli/fleet/caption_jobs.ts";
import { root, texts } from "../command_process.ts";

const pictures = await Promise.all(
  Object.entries(texts).map(async ([path, text]) => ({
    bytes: await Deno.readFile(root + path),
    text,
  })),
);

/** A captioner that counts the pictures of each of its batches. */
async function countingCaptioner(): Promise<{ captioner: Captioner; batches: number[] }> {
  const captioner = await Captioner.load();
  const batches: number[] = [];
  const { captions } = captioner;
  captioner.captions = ((images: RawImage[], options?: object) => {
    batches.push(images.length);
    return captions.call(captioner, images, options);
  }) as typeof captions;
  return { captioner, batches };
}

async function* jobsOf(
  sources: CaptionJob<number>["source"][],
  asked: number[] = [],
  first = 0,
): AsyncGenerator<CaptionJob<number>> {
  for (const [i, source] of sources.entries()) {
    asked.push(i);
    yield { about: i, place: first + i, source, name: `picture ${i}`, bytes: 10 };
  }
}

async function answers(
  captioner: Captioner,
  jobs: AsyncIterable<CaptionJob<number>>,
  options?: Partial<CaptionJobsOptions>,
) {
  return await Array.fromAsync(captionJobs(captioner, jobs, { request: {}, ...options }));
}

Deno.test("captionJobs() gives an answer for each picture, in their order, those at fault included", async () => {
  const { captioner, batches } = await countingCaptioner();
  await using _ = captioner;
  const broken = new Error("no picture");
  const sources = Array.from({ length: 23 }, (_, i) => i % 5 === 3 ? broken : pictures[i % 4].bytes);
  sources[7] = new Uint8Array([1, 2, 3]);
  const found = await answers(captioner, jobsOf(sources));
  assertEquals(found.map(({ about }) => about), sources.map((_, i) => i));
  found.forEach((answer, i) => {
    if ("caption" in answer) assertEquals(answer.caption.text, pictures[i % 4].text);
    else assert(i % 5 === 3 || i === 7, String(answer.error));
  });
  assertEquals(found.filter((answer) => "error" in answer).length, 5);
  // It takes several at once where several are ready, and never more than eight.
  assert(batches.length < 18 && Math.max(...batches) <= 8, batches.join());
});

Deno.test("captionJobs() reads no more ahead than there is room for", async () => {
  const { captioner } = await countingCaptioner();
  await using _ = captioner;
  const [caption] = await captioner.captions(pictures[2].bytes);
  captioner.captions = ((images: RawImage[]) => Promise.resolve(images.map(() => [caption]))) as never;
  const sources = Array.from({ length: 100 }, () => pictures[2].bytes);
  for (const [mostBytes, most] of [[1, 10], [2 ** 30, 44]]) {
    const asked: number[] = [];
    let [answered, ahead] = [0, 0];
    for await (const _ of captionJobs(captioner, jobsOf(sources, asked), { request: {}, mostBytes })) {
      ahead = Math.max(ahead, asked.length - answered++);
    }
    assertEquals(answered, 100);
    assert(ahead <= most, `${ahead} were begun and not answered with room for ${mostBytes} bytes`);
  }
});

Deno.test("captionJobs() tries pictures alone where they fail together, and ends where the device is lost", async () => {
  const { captioner } = await countingCaptioner();
  await using _ = captioner;
  const { captions } = captioner;
  let lost = false;
  captioner.captions = ((images: RawImage[], options?: object) => {
    if (lost) throw new DeviceLostError("lost");
    if (images.length > 1) throw new RangeError("too many");
    return captions.call(captioner, images, options);
  }) as typeof captions;
  const sources = pictures.map(({ bytes }) => bytes);
  const found = await answers(captioner, jobsOf(sources));
  assertEquals(found.map((answer) => "caption" in answer && answer.caption.text), pictures.map(({ text }) => text));
  lost = true;
  await assertRejects(() => answers(captioner, jobsOf(sources)), DeviceLostError);
});

Deno.test("captionJobs() draws for a picture by its place, whatever comes beside it", async () => {
  const { captioner } = await countingCaptioner();
  await using _ = captioner;
  const request = { doSample: true, seed: 3, temperature: 3, maxNewTokens: 8 };
  const textsOf = async (sources: CaptionJob<number>["source"][], first?: number) => {
    const all = await answers(captioner, jobsOf(sources, [], first), { request });
    return all.map((answer) => "caption" in answer ? answer.caption.text : undefined);
  };
  const { bytes } = pictures[1];
  const [one, , three] = await textsOf([bytes, new Error("no picture"), bytes]);
  assert(one !== three, `${one} twice`);
  assertEquals(await textsOf([bytes], 2), [three]);
  assertEquals(await captioner.caption(bytes, request), one);
});

Deno.test("captionJobs() throws what its source throws, after the answers to what came before", async () => {
  const { captioner } = await countingCaptioner();
  await using _ = captioner;
  async function* failing(): AsyncGenerator<CaptionJob<number>> {
    yield* jobsOf([pictures[2].bytes]);
    throw new TypeError("no more");
  }
  const found: number[] = [];
  await assertRejects(async () => {
    for await (const { about } of captionJobs(captioner, failing(), { request: {} })) found.push(about);
  }, TypeError);
  assertEquals(found, [0]);
});
