// Pictures with their texts as batches for a training. Think of an epoch as a list that follows from the seed and the
// epoch's number alone: a batch is a stretch of it, so that a run may begin at any. Broken pictures leave a gap in their
// batch, and move no other example.
import { LimnerError, OptionError } from "../../errors/mod.ts";
import { ImageWorkers } from "../../image/image_workers.ts";
import { RawImage } from "../../image/mod.ts";
import { type Picture, PictureReader } from "../../image/picture_reader.ts";
import { nameOfSource } from "../../image/source_bytes.ts";
import type { Tensor } from "../../tensor/mod.ts";
import type { Tokenizer } from "../../tokenizer/mod.ts";
import type { Batch, BatchOptions, DatasetOptions } from "./dataset_options.ts";
import { epochOrder, randomAt } from "./epoch_order.ts";
import { brokenError, type BrokenExample, type Example, type ImageTextPair } from "./example.ts";
import { encodeLabels, endTokenOf, labelTensor } from "./labels.ts";
import { type ColumnOptions, readFolder } from "./read_folder.ts";

/** A picture that was read, and its place in the data set. */
interface ReadExample {
  readonly place: number;
  readonly image: RawImage;
}

/** The most characters of a text: a page has some thousands. */
const longestText = 1_000_000;

/** The number of the order that decides which examples are taken out: that of no epoch. */
const splitEpoch = 2 ** 32 - 1;

/**
 * Pictures and the texts that a model should write of them.
 *
 * @example
 * ```ts
 * import { AutoImageProcessor, AutoTokenizer, ImageTextDataset, RawImage } from "@limner/limner";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = await AutoTokenizer.fromPretrained("assets/model");
 * const processor = await AutoImageProcessor.fromPretrained("assets/model");
 * const image = new RawImage(new Uint8Array(64 * 8).fill(255), 64, 8, 1);
 * const dataset = ImageTextDataset.fromPairs([{ image, text: "ab" }, { image, text: "c" }], { tokenizer, processor });
 * for await (const { labels } of dataset.batches({ batchSize: 2, shuffle: false })) {
 *   assertEquals(labels.toList(), [[0, 68, 69, 2], [0, 70, 2, -100]]);
 * }
 * ```
 */
export class ImageTextDataset {
  readonly #examples: readonly Example[];
  readonly #labels: readonly Int32Array[];
  readonly #options: DatasetOptions;
  readonly #broken: BrokenExample[];
  /** The places of those whose pictures turned out to be broken. */
  readonly #gaps = new Set<number>();
  readonly #longest: number;
  /** The token that ends all labels. */
  readonly endTokenId: number;

  private constructor(
    /** The folder, or what the pairs are called. */
    readonly name: string,
    { examples, broken }: { readonly examples: readonly Example[]; readonly broken: readonly BrokenExample[] },
    options: DatasetOptions,
  ) {
    checkOptions(options);
    const { tokenizer, maxLength = Infinity } = options;
    this.endTokenId = endTokenOf(tokenizer, options);
    const found = [...broken];
    const usable: Example[] = [];
    const labels: Int32Array[] = [];
    for (const example of examples) {
      const { length } = example.text;
      const ids = length > longestText ? new Int32Array() : encodeLabels(tokenizer, example.text, options);
      const reason = length > longestText
        ? `its text has ${length} characters, more than ${longestText}`
        : example.text.trim() === ""
        ? "its text is empty"
        : ids.length > maxLength
        ? `its text has ${ids.length} tokens, more than maxLength, ${maxLength}`
        : undefined;
      if (reason) found.push({ name: example.name, reason });
      else usable.push(example), labels.push(ids);
    }
    const skips = options.onBroken === "skip";
    if (found.length > 0 && (!skips || usable.length === 0)) throw brokenError(name, found, { skips });
    if (usable.length === 0) throw new OptionError(`Cannot use ${name}: it has no examples`);
    [this.#examples, this.#labels, this.#options, this.#broken] = [usable, labels, options, found];
    this.#longest = labels.reduce((most, { length }) => Math.max(most, length), 0);
  }

  /**
   * Read a folder as Hugging Face's imagefolder has it: pictures, and a metadata.jsonl, captions.jsonl or metadata.csv
   * that names each (`file_name`) with its text. The pictures' files are looked for, and read when they are wanted.
   *
   * @throws {HubError} If there is no such folder.
   * @throws {OptionError} If it has no table or several, or the table lacks the columns.
   * @throws {FormatError} If the table is malformed; with `onBroken: "throw"`, if an example cannot be used.
   */
  static async fromFolder(folder: string | URL, options: DatasetOptions & ColumnOptions): Promise<ImageTextDataset> {
    checkOptions(options);
    return new ImageTextDataset(`${folder}`, await readFolder(folder, options), options);
  }

  /**
   * Take pictures and texts as they are.
   *
   * @throws {OptionError} If there are none.
   * @throws {FormatError} With `onBroken: "throw"`, if a text is empty or too long.
   */
  static fromPairs(pairs: readonly ImageTextPair[], options: DatasetOptions): ImageTextDataset {
    const examples = pairs.map(({ image, text }, i): Example => {
      const named = image instanceof RawImage ? "(" : nameOfSource(image);
      return { image, text: `${text ?? ""}`, name: named.startsWith("(") ? `pairs[${i}]` : named };
    });
    return new ImageTextDataset("the pairs", { examples, broken: [] }, options);
  }

  /** How many examples there are, those whose pictures turn out to be broken included. */
  get size(): number {
    return this.#examples.length;
  }

  /** The text of each example. */
  get texts(): readonly string[] {
    return this.#examples.map(({ text }) => text);
  }

  /** What messages call each example. */
  get names(): readonly string[] {
    return this.#examples.map(({ name }) => name);
  }

  /** Those that were left out so far; a picture is found to be damaged when it is first read. */
  get broken(): readonly BrokenExample[] {
    return this.#broken;
  }

  /** What made the labels. */
  get tokenizer(): Tokenizer {
    return this.#options.tokenizer;
  }

  /** The labels of an example, the end token last. */
  labelsOf(index: number): Int32Array {
    return this.#labels[index];
  }

  /**
   * Part the data set by chance, as its seed says.
   *
   * @param count How many examples are taken out, at least 1 and fewer than there are.
   * @returns Those, and the others; both in the order they had.
   */
  split(count: number): [taken: ImageTextDataset, others: ImageTextDataset] {
    if (!(Number.isSafeInteger(count) && count > 0 && count < this.size)) {
      throw new OptionError(
        `Cannot take ${count} of the ${this.size} examples of ${this.name}: expected 1 or more, and fewer`,
      );
    }
    const taken = new Set(epochOrder(this.size, this.#options.seed ?? 0, splitEpoch).subarray(0, count));
    const part = (isIn: boolean, broken: readonly BrokenExample[]) => {
      const examples = this.#examples.filter((_, place) => taken.has(place) === isIn);
      return new ImageTextDataset(this.name, { examples, broken }, this.#options);
    };
    return [part(true, []), part(false, this.#broken)];
  }

  /**
   * The batches of an epoch, the pictures of the next being decoded ahead.
   *
   * @throws {OptionError} If a number is not whole, or too small.
   * @throws {FormatError} With `onBroken: "throw"`, if a picture cannot be read.
   * @throws The signal's reason.
   */
  async *batches(options: BatchOptions): AsyncGenerator<Batch> {
    const { batchSize, epoch = 0, startBatch = 0, shuffle = true, signal } = options;
    checkNumber("batchSize", batchSize, 1);
    checkNumber("epoch", epoch, 0);
    checkNumber("startBatch", startBatch, 0);
    const { seed = 0, processor, maxPixels, allowPrivateAddresses } = this.#options;
    const augment = options.augment === false ? undefined : this.#options.augment;
    const order = shuffle ? epochOrder(this.size, seed, epoch) : Uint32Array.from({ length: this.size }, (_, i) => i);
    const rest = Array.from(order.subarray(startBatch * batchSize));
    const gaps = new Set(this.#gaps);
    const pictures = rest.filter((place) => !gaps.has(place)).map((place): Picture => {
      const { image, name } = this.#examples[place];
      return { source: image, name };
    });
    using workers = new ImageWorkers();
    // What is augmented is the whole picture.
    const settings = augment ? undefined : processor.settings;
    const reading = { ahead: batchSize, settings, signal, maxPixels, allowPrivateAddresses };
    const reader = new PictureReader(pictures, workers, reading);
    for (let at = 0, index = startBatch; at < rest.length; at += batchSize, index++) {
      const read: ReadExample[] = [];
      for (const place of rest.slice(at, at + batchSize).filter((place) => !gaps.has(place))) {
        const image = await this.#read(place, reader, signal);
        if (!image) continue;
        read.push({
          place,
          image: augment ? await augment(image, randomAt("augmentation", seed, epoch, place)) : image,
        });
      }
      const batch = this.#batchOf(read, index);
      if (batch) yield batch;
    }
  }

  /** The reader's next picture, which is that of `place`; none if it is broken and such are skipped. */
  async #read(place: number, reader: PictureReader, signal: AbortSignal | undefined): Promise<RawImage | undefined> {
    try {
      return (await reader.take(1))[0];
    } catch (error) {
      if (signal?.aborted || !(error instanceof LimnerError)) throw error;
      this.#leaveOut(place, error);
    }
  }

  /** Note that an example is broken. @throws {FormatError} Unless such are skipped. */
  #leaveOut(place: number, error: LimnerError): void {
    const { name } = this.#examples[place];
    const reason = error.message.split(`${name}: `).at(-1)!;
    const broken = { name, reason };
    if (this.#options.onBroken !== "skip") throw brokenError(this.name, [broken], { skips: false });
    if (this.#gaps.has(place)) return;
    this.#gaps.add(place);
    this.#broken.push(broken);
    if (this.#gaps.size === this.size) throw brokenError(this.name, this.#broken, { skips: true });
  }

  #batchOf(read: readonly ReadExample[], index: number): Batch | undefined {
    const ready = this.#process(read);
    if (!ready) return undefined;
    const { examples, pixelValues } = ready;
    const { padToMultipleOf = 8 } = this.#options;
    const rows = examples.map((place) => this.#labels[place]);
    const longest = Math.max(...rows.map(({ length }) => length));
    const length = Math.min(this.#longest, Math.ceil(longest / padToMultipleOf) * padToMultipleOf);
    return { pixelValues, labels: labelTensor(rows, length), examples, index };
  }

  /** The pixel values of pictures, without those that the processor refuses by themselves. */
  #process(read: readonly ReadExample[]): { pixelValues: Tensor; examples: number[] } | undefined {
    const { processor } = this.#options;
    const all = (some: readonly ReadExample[]) => ({
      ...processor(some.map(({ image }) => image)),
      examples: some.map(({ place }) => place),
    });
    if (read.length === 0) return undefined;
    try {
      return all(read);
    } catch (error) {
      if (!(error instanceof LimnerError)) throw error;
      const fit = read.filter(({ place, image }) => {
        try {
          return processor(image);
        } catch (fault) {
          if (!(fault instanceof LimnerError)) throw fault;
          this.#leaveOut(place, fault);
        }
      });
      // Where each does by itself, it is the batch that does not: its pictures differ in size.
      if (fit.length === read.length) throw error;
      return fit.length > 0 ? all(fit) : undefined;
    }
  }
}

/** What a training asks of a data set, which may be another's. */
export type TrainingDataset = Pick<
  ImageTextDataset,
  "name" | "size" | "texts" | "names" | "tokenizer" | "endTokenId" | "labelsOf" | "batches"
>;

function checkNumber(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new OptionError(`Cannot make batches: option ${name} is ${value}, expected a whole number from ${least}`);
}

function checkOptions(options: DatasetOptions): void {
  const { tokenizer, processor, seed = 0, onBroken = "throw", maxLength = 1, padToMultipleOf = 1 } = options;
  for (const [part, given] of Object.entries({ tokenizer, processor })) {
    if (!given) throw new OptionError(`Cannot make a data set: option ${part} is missing`);
  }
  if (onBroken !== "throw" && onBroken !== "skip") {
    throw new OptionError(`Cannot make a data set: option onBroken is ${onBroken}, expected "skip" or "throw"`);
  }
  for (
    const [name, value, least] of [["seed", seed, 0], ["maxLength", maxLength, 1], [
      "padToMultipleOf",
      padToMultipleOf,
      1,
    ]] as const
  ) {
    checkNumber(name, value, least);
  }
}
