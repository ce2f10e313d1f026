import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Batch,
  type BatchOptions,
  type DatasetOptions,
  FormatError,
  ImageTextDataset,
  OptionError,
  RawImage,
  readImage,
  type Tokenizer,
} from "../../../mod.ts";
import { jsonLines, lineFile, parts, tenRows, withFolder } from "./dataset_folder.ts";

const { tokenizer, processor } = await parts();

const tenPairs = (options: Partial<DatasetOptions> = {}) =>
  ImageTextDataset.fromPairs(tenRows.map(({ text }, n) => ({ image: lineFile(n), text })), {
    ...{ tokenizer, processor },
    ...options,
  });

/** The tokenizer with other special tokens. */
const changed = (given: Partial<Tokenizer>): Tokenizer =>
  new Proxy(tokenizer, {
    get(target, key) {
      if (Object.hasOwn(given, key)) return given[key as keyof Tokenizer];
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });

const batchesOf = (dataset: ImageTextDataset, options: BatchOptions): Promise<Batch[]> =>
  Array.fromAsync(dataset.batches(options));

Deno.test("ImageTextDataset.batches() gives pixel values as the processor's, and labels filled with -100", async () => {
  const dataset = tenPairs();
  const [first, , last] = await batchesOf(dataset, { batchSize: 4, shuffle: false });
  const images = await Promise.all([0, 1, 2, 3].map((n) => readImage(lineFile(n))));
  assertEquals(first.pixelValues, processor(images).pixelValues);
  assertEquals(first.labels.dataType, "int64");
  // <s> t0 </s> and so on: the tokenizer's own special tokens, as Python's recipe for TrOCR has them.
  const ids = (n: number) => tokenizer.encode(tenRows[n].text).inputIds;
  assertEquals(first.labels.toList(), [0, 1, 2, 3].map((n) => [...ids(n), ...Array(8 - ids(n).length).fill(-100)]));
  assertEquals([last.examples, last.index, last.pixelValues.shape[0]], [[8, 9], 2, 2]);
});

Deno.test("ImageTextDataset.batches() rounds the length of labels up, to the longest of all at most", async () => {
  const lengths = async (padToMultipleOf?: number) =>
    (await batchesOf(tenPairs({ padToMultipleOf }), { batchSize: 2, shuffle: false })).map(({ labels }) =>
      labels.shape[1]
    );
  assertEquals(await lengths(1), [5, 7, 9, 11, 13]);
  assertEquals(await lengths(), [8, 8, 13, 13, 13]);
});

Deno.test("labels end with the end token, whether the tokenizer adds it or not", async () => {
  const dataset = tenPairs({ addSpecialTokens: false });
  assertEquals([...dataset.labelsOf(0)], [...tokenizer.encode("t0", { addSpecialTokens: false }).inputIds, 2]);
  assertEquals(tenPairs({ endTokenId: 1 }).labelsOf(0).at(-1), 1);
  // Where pad and end are one token, as people give GPT-2, the end token counts, and what fills a row does not.
  const one = changed({ padTokenId: 2 });
  const [{ labels }] = await batchesOf(tenPairs({ tokenizer: one }), { batchSize: 2, shuffle: false });
  assertEquals((labels.toList() as number[][])[0].slice(2), [19, 2, -100, -100, -100, -100]);
  const none = changed({ eosTokenId: undefined, sepTokenId: undefined });
  assertThrows(() => tenPairs({ tokenizer: none }), OptionError, "option endTokenId names one");
});

Deno.test("the order is another each epoch, has each example once, and follows from the seed", async () => {
  const order = async (seed: number, epoch: number, startBatch = 0) =>
    (await batchesOf(tenPairs({ seed }), { batchSize: 3, epoch, startBatch })).flatMap(({ examples }) => examples);
  const first = await order(5, 0);
  assertEquals(first.toSorted((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assertEquals(await order(5, 0), first);
  assertNotEquals(await order(5, 1), first);
  assertNotEquals(await order(6, 0), first);
  assertEquals(await order(5, 1, 2), (await order(5, 1)).slice(6));
  assertEquals(await order(5, 1, 4), []);
});

Deno.test("a batch is the same wherever a run begins, what augmentation draws included", async () => {
  const seen: number[] = [];
  const augment = (image: RawImage, random: () => number) => {
    seen.push(random());
    return new RawImage(image.data.map((sample) => sample * random()), image.width, image.height, image.channels);
  };
  const whole = await batchesOf(tenPairs({ augment, seed: 3 }), { batchSize: 4, epoch: 7 });
  assertEquals(new Set(seen).size, 10);
  const [resumed] = await batchesOf(tenPairs({ augment, seed: 3 }), { batchSize: 4, epoch: 7, startBatch: 1 });
  assertEquals(resumed, whole[1]);
  const [other] = await batchesOf(tenPairs({ augment, seed: 3 }), { batchSize: 10, epoch: 8, shuffle: false });
  const [plain] = await batchesOf(tenPairs({ augment }), { batchSize: 10, shuffle: false, augment: false });
  assertNotEquals(other.pixelValues, plain.pixelValues);
  const [none] = await batchesOf(tenPairs(), { batchSize: 10, shuffle: false });
  assertEquals(plain.pixelValues, none.pixelValues);
});

Deno.test("a broken picture is fatal by its name, or leaves a gap that moves no other example", async () => {
  const cut = (await Deno.readFile(lineFile(4))).slice(0, 200);
  const files = { "metadata.jsonl": jsonLines(tenRows), "4.png": cut, "5.png": "no picture" };
  await withFolder(files, async (folder) => {
    const strict = await ImageTextDataset.fromFolder(folder, { tokenizer, processor });
    await assertRejects(
      () => batchesOf(strict, { batchSize: 4, shuffle: false }),
      FormatError,
      `Cannot use 1 example of ${folder}: 4.png (metadata.jsonl, line 5): `,
    );
    const dataset = await ImageTextDataset.fromFolder(folder, { tokenizer, processor, onBroken: "skip" });
    for (let pass = 0; pass < 2; pass++) {
      const batches = await batchesOf(dataset, { batchSize: 2, shuffle: false });
      assertEquals(batches.map(({ index, examples }) => [index, ...examples]), [
        ...[[0, 0, 1], [1, 2, 3], [3, 6, 7], [4, 8, 9]],
      ]);
    }
    assertEquals(dataset.broken.map(({ name }) => name), [
      "4.png (metadata.jsonl, line 5)",
      "5.png (metadata.jsonl, line 6)",
    ]);
    assert(!dataset.broken[0].reason.includes("metadata"), dataset.broken[0].reason);
  });
});

Deno.test("a data set of nothing but broken pictures fails, even where they are skipped", async () => {
  const files = { "metadata.jsonl": jsonLines(tenRows.slice(0, 2)), "0.png": "x", "1.png": "y" };
  await withFolder(files, async (folder) => {
    const dataset = await ImageTextDataset.fromFolder(folder, { tokenizer, processor, onBroken: "skip" });
    await assertRejects(
      () => batchesOf(dataset, { batchSize: 2 }),
      FormatError,
      "of its 2 examples none can be used: ",
    );
  });
});

Deno.test("a text longer than maxLength is broken, and never cut", () => {
  assertThrows(() => tenPairs({ maxLength: 12 }), FormatError, "its text has 13 tokens, more than maxLength, 12");
  assertEquals(tenPairs({ maxLength: 12, onBroken: "skip" }).size, 9);
  assertEquals(tenPairs({ maxLength: 13 }).size, 10);
});

Deno.test("a data set refuses what cannot be: missing parts, no examples, numbers that are not whole", async () => {
  assertThrows(() => tenPairs({ tokenizer: undefined }), OptionError, "option tokenizer is missing");
  assertThrows(() => ImageTextDataset.fromPairs([], { tokenizer, processor }), OptionError, "it has no examples");
  assertThrows(() => tenPairs({ seed: -1 }), OptionError, "option seed is -1");
  assertThrows(() => tenPairs({ onBroken: "ignore" as "skip" }), OptionError, 'expected "skip" or "throw"');
  await assertRejects(() => batchesOf(tenPairs(), { batchSize: 0 }), OptionError, "option batchSize is 0");
  const pairs = [{ image: lineFile(0), text: undefined as unknown as string }];
  assertThrows(() => ImageTextDataset.fromPairs(pairs, { tokenizer, processor }), FormatError, "its text is empty");
});

Deno.test("ImageTextDataset.batches() ends where its signal is aborted", async () => {
  const stop = new AbortController();
  const batches = tenPairs().batches({ batchSize: 2, signal: stop.signal });
  await batches.next();
  stop.abort(new Error("enough"));
  await assertRejects(() => batches.next(), Error, "enough");
});

Deno.test("ImageTextDataset.split() parts the examples by the seed, each into one part", () => {
  const parted = (seed: number) => tenPairs({ seed }).split(3).map(({ texts }) => texts);
  const [taken, others] = parted(1);
  assertEquals([taken.length, others.length], [3, 7]);
  assertEquals([...taken, ...others].sort(), tenRows.map(({ text }) => text).sort());
  assertEquals(parted(1), [taken, others]);
  assertNotEquals(parted(2)[0], taken);
  assertThrows(() => tenPairs().split(10), OptionError, "Cannot take 10 of the 10 examples of the pairs");
});
