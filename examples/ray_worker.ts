// The Deno side of ray_train.py: a trainer that is spoken to over standard input and output. A message is a length (uint32,
// little endian), so many bytes of JSON, a second length and so many bytes of float32: the values of all trained parameters,
// or their gradients, one after another.
import { AutoImageProcessor, AutoTokenizer, ImageTextDataset, Tensor, Trainer } from "@limner/limner";
import { type TrainingBatch, VisionEncoderDecoderModel } from "@limner/limner";

interface Request {
  readonly do: "open" | "gradients" | "apply" | "save" | "parameters";
  /** open: the model's folder, or that of a saved run; the data set's folder; the options of Trainer.create. */
  readonly model: string;
  readonly resume?: string;
  readonly data: string;
  readonly backend: "ffi" | "reference" | "webgpu";
  readonly options: { readonly learningRate: number };
  /** gradients: of which rows of the step's batch, from `first` on every so many. */
  readonly batchSize: number;
  readonly first: number;
  readonly every: number;
  /** save: where. */
  readonly folder: string;
}

interface Reply {
  readonly values?: Iterable<readonly [string, Tensor]>;
  readonly [key: string]: unknown;
}

const input = Deno.stdin.readable.getReader({ mode: "byob" });

async function read(length: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  let buffer = new ArrayBuffer(length);
  for (let at = 0; at < length;) {
    const { value, done } = await input.read(new Uint8Array(buffer, at, length - at));
    if (done || !value) return undefined;
    buffer = value.buffer;
    at += value.length;
  }
  return new Uint8Array(buffer);
}

async function readPart(): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const length = await read(4);
  return length && await read(new DataView(length.buffer).getUint32(0, true));
}

async function write(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}

async function writePart(parts: readonly Uint8Array[]): Promise<void> {
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, parts.reduce((sum, part) => sum + part.length, 0), true);
  await write(new Uint8Array(length.buffer));
  for (const part of parts) await write(part);
}

async function reply({ values = [], ...fields }: Reply): Promise<void> {
  await writePart([new TextEncoder().encode(JSON.stringify(fields))]);
  await writePart([...values].map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)));
}

class Worker {
  private constructor(readonly trainer: Trainer, readonly dataset: ImageTextDataset) {}

  static async open({ model: source, resume, data, backend, options }: Request): Promise<Worker> {
    const [tokenizer, processor] = await Promise.all([
      AutoTokenizer.fromPretrained(source),
      AutoImageProcessor.fromPretrained(source),
    ]);
    const dataset = await ImageTextDataset.fromFolder(data, { tokenizer, processor, addSpecialTokens: false });
    const trainer = resume !== undefined
      ? await Trainer.resume(resume, { backend })
      : await Trainer.create(await VisionEncoderDecoderModel.fromPretrained(source, { backend }), options);
    return new Worker(trainer, dataset);
  }

  async answer(request: Request, payload: Uint8Array<ArrayBuffer>): Promise<Reply> {
    const { trainer } = this;
    if (request.do === "gradients") {
      const batch = await this.#share(request);
      const { loss } = await trainer.loss(batch);
      const gradients = await trainer.gradients(batch);
      return { loss, labels: gradients.labels, steps: trainer.steps, values: gradients };
    }
    if (request.do === "apply") {
      const { gradNorm } = await trainer.apply(await this.#named(payload));
      return { gradNorm, steps: trainer.steps };
    }
    if (request.do === "save") {
      await trainer.save(request.folder);
      return { steps: trainer.steps };
    }
    if (request.do === "parameters") {
      return { steps: trainer.steps, values: await this.#parameters() };
    }
    throw new Error(`Cannot do "${request.do}": expected open, gradients, apply, save or parameters`);
  }

  /** This worker's rows of the batch that the next step is of: the order follows from the seed and the step's number. */
  async #share({ batchSize, first, every }: Request): Promise<TrainingBatch> {
    const perEpoch = Math.ceil(this.dataset.size / batchSize);
    const { steps } = this.trainer;
    const where = { epoch: Math.floor(steps / perEpoch), startBatch: steps % perEpoch };
    for await (const { pixelValues, labels } of this.dataset.batches({ batchSize, ...where })) {
      const rows = labels.toList() as number[][];
      const mine = rows.map((_, row) => row).filter((row) => row % every === first);
      const size = pixelValues.size / rows.length;
      const pixels = new Float32Array(mine.length * size);
      mine.forEach((row, i) =>
        pixels.set((pixelValues.data as Float32Array).subarray(row * size, (row + 1) * size), i * size)
      );
      const shape = [mine.length, ...pixelValues.shape.slice(1)];
      return { pixelValues: new Tensor("float32", shape, pixels), labels: mine.map((row) => rows[row]) };
    }
    throw new Error("Cannot take a batch: all of its pictures are broken");
  }

  async #parameters(): Promise<[string, Tensor][]> {
    const found: [string, Tensor][] = [];
    for (const name of this.trainer.trained) found.push([name, await this.trainer.model.parameter(name)]);
    return found;
  }

  /** Gradients by name, of their values one after another. */
  #named(payload: Uint8Array<ArrayBuffer>): Map<string, Tensor> {
    const known = this.trainer.model.namedParameters();
    const found = new Map<string, Tensor>();
    let at = 0;
    for (const name of this.trainer.trained) {
      const { shape } = known.get(name)!;
      const size = shape.reduce((product, length) => product * length, 1);
      found.set(name, new Tensor("float32", shape, new Float32Array(payload.buffer, at, size)));
      at += 4 * size;
    }
    return found;
  }
}

let worker: Worker | undefined;
while (true) {
  const [head, payload] = [await readPart(), await readPart()];
  if (!head || !payload) break;
  try {
    const request: Request = JSON.parse(new TextDecoder().decode(head));
    if (request.do === "open") {
      worker = await Worker.open(request);
      const known = worker.trainer.model.namedParameters();
      const trained = worker.trainer.trained.map((name) => [name, known.get(name)!.shape]);
      await reply({ steps: worker.trainer.steps, trained, process: Deno.pid });
    } else if (worker) await reply(await worker.answer(request, payload));
    else throw new Error(`Cannot do "${request.do}": open comes first`);
  } catch (error) {
    await reply({ error: `${error instanceof Error ? error.message : error}` });
  }
}
await worker?.trainer[Symbol.asyncDispose]();
