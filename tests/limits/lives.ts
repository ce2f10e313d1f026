// Lives that end early: captioners, models, trainers and backends are released while something is being loaded, written or
// learned, in a random order and twice, while garbage is collected all the time. A process of its own, for one that crashes:
// `deno run -A --v8-flags=--expose-gc tests/limits/lives.ts BACKEND ORDERS SEED` prints a line of JSON an order that went
// wrong, and "done".
import { AutoImageProcessor, AutoTokenizer, Captioner, LimnerError, loadBackend, RawImage, Tensor } from "../../mod.ts";
import { Trainer, VisionEncoderDecoderModel } from "../../mod.ts";
import type { Backend, BackendName } from "../../src/graph/mod.ts";

const [name, orders, firstSeed] = [Deno.args[0] as BackendName, Number(Deno.args[1]), Number(Deno.args[2] ?? 1)];
const folder = new URL("../fixtures/models/vit_trocr_sinusoidal/", import.meta.url);
const [tokenizer, processor] = [
  await AutoTokenizer.fromPretrained(folder),
  await AutoImageProcessor.fromPretrained(folder),
];
const picture = new RawImage(new Uint8Array(3 * 40 * 30).map((_, i) => i * 7), 40, 30, 3);
const pixelValues = new Tensor("float32", [1, 3, 32, 32], new Float32Array(3 * 32 * 32).fill(0.5));

/** Numbers from 0 up to `below`, the same for the same seed. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state ^ state >>> 15, state | 1) + 0x6d2b79f5) | 0;
    return ((state ^ state >>> 14) >>> 0) % below;
  };
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What can be under way. */
const calls: Readonly<Record<string, (captioner: Captioner) => Promise<unknown>>> = {
  caption: (captioner) => captioner.caption(picture),
  beams: (captioner) => captioner.caption(picture, { numBeams: 3 }),
  sampled: (captioner) => captioner.caption(picture, { doSample: true, seed: 1 }),
  aborted: (captioner) => captioner.caption(picture, { signal: AbortSignal.timeout(3) }),
  stream: async (captioner) => {
    for await (const _piece of captioner.stream(picture)) await sleep(1);
  },
  left: async (captioner) => {
    for await (const _piece of captioner.stream(picture)) break;
  },
  generate: ({ model }) => model.generate(pixelValues, { maxNewTokens: 30 }),
  forward: ({ model }) => model.forward({ pixelValues, decoderInputIds: [[1, 2, 3]] }),
  parameter: ({ model }) => model.parameter([...model.namedParameters().keys()][0]),
};

const batch = { pixelValues, labels: [[5, 9, 7, 2]] };

/** What can be under way of a training. */
const lessons: Readonly<Record<string, (trainer: Trainer) => Promise<unknown>>> = {
  step: (trainer) => trainer.step(batch),
  steps: async (trainer) => {
    for (let i = 0; i < 4; i++) await trainer.step(batch);
  },
  gradients: (trainer) => trainer.gradients(batch),
  loss: (trainer) => trainer.loss(batch),
  averages: (trainer) => trainer.withAverages(() => trainer.loss(batch)),
};

/** A trainer of a few parameters, or of an adapter. */
function train(model: VisionEncoderDecoderModel, next: (below: number) => number): Promise<Trainer> {
  const ema = next(2) ? 0.9 : undefined;
  return Trainer.create(model, {
    ...{ learningRate: 1e-3, ema, gradientAccumulation: 1 + next(2) },
    ...(next(2)
      ? { frozen: (name: string) => !name.includes("decoder.layers.0.fc1") }
      : { lora: { rank: 2, alpha: 2, targets: ["q_proj"] } }),
  });
}

/** One life. @returns What went wrong. */
async function live(seed: number): Promise<string[]> {
  const next = random(seed);
  const wrong: string[] = [];
  const expected = (what: string, error: unknown): void => {
    if (error instanceof DOMException && /TimeoutError|AbortError/.test(error.name)) return;
    const { name, message } = error as Error;
    const told = error instanceof LimnerError && /released|closed|await an update/.test(message);
    if (!told) wrong.push(`${what}: ${name}: ${message}`);
  };
  const backend: Backend = await loadBackend(name);
  const owned = next(4) === 0; // of a model that has a backend of its own
  const loading = (async () => {
    const model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: owned ? name : backend });
    return new Captioner({ model, tokenizer, processor });
  })();
  loading.catch(() => {});
  const ends: (() => PromiseLike<void>)[] = [];
  const captioner = next(3) === 0 ? undefined : await loading.catch((error) => void expected("load", error));
  const under: Promise<void>[] = [];
  const training = captioner && next(3) === 0 ? train(captioner.model, next) : undefined;
  training?.catch((error) => expected("train", error));
  const trainer = training && next(4) > 0 ? await training.catch(() => undefined) : undefined;
  if (trainer) {
    for (let i = next(3); i >= 0; i--) {
      const [what, lesson] = Object.entries(lessons)[next(Object.keys(lessons).length)];
      under.push(lesson(trainer).then(() => {}, (error) => expected(what, error)));
      if (next(3) === 0) await sleep(next(8));
    }
    ends.push(() => trainer[Symbol.asyncDispose]());
  }
  if (captioner) {
    for (let i = next(4); i >= 0; i--) {
      const [what, call] = Object.entries(calls)[next(Object.keys(calls).length)];
      under.push(call(captioner).then(() => {}, (error) => expected(what, error)));
      if (next(3) === 0) await sleep(next(8));
    }
    ends.push(() => captioner[Symbol.asyncDispose](), () => captioner.model[Symbol.asyncDispose]());
  }
  ends.push(() => backend[Symbol.asyncDispose]());
  if (next(2) === 0) await sleep(next(20));
  const order = [...ends, ...ends].map((end) => ({ end, at: next(1000) })).sort((a, b) => a.at - b.at);
  const ending: PromiseLike<void>[] = [];
  for (const { end } of order) {
    const done = Promise.resolve(end()).catch((error) => void wrong.push(`dispose: ${error}`));
    ending.push(done);
    if (next(2) === 0) await done;
  }
  await Promise.all([...ending, ...under]);
  await (await training?.catch(() => undefined))?.[Symbol.asyncDispose]();
  if (trainer) {
    const step = trainer.step(batch);
    await step.then(() => wrong.push("a released trainer took a step"), (error) => expected("late step", error));
  }
  const late = await loading.catch((error) => void expected("load", error));
  if (late) await late[Symbol.asyncDispose]();
  // What comes after the end says so too.
  if (late) {
    await late.caption(picture).then(
      () => wrong.push("a released captioner wrote"),
      (error) => expected("late", error),
    );
  }
  const { liveHandles } = backend.counters;
  if (liveHandles !== 0) wrong.push(`${liveHandles} handles are left`);
  if (late && late.model.backend.counters.liveHandles !== 0) wrong.push("handles of the model's backend are left");
  return wrong;
}

const rejections: string[] = [];
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  rejections.push(String(event.reason?.stack ?? event.reason));
});
const collector = setInterval(() => (globalThis as unknown as { gc(): void }).gc(), 40);
for (let seed = firstSeed; seed < firstSeed + orders; seed++) {
  const wrong = await live(seed);
  await sleep(0);
  wrong.push(...rejections.splice(0).map((reason) => `unhandled: ${reason}`));
  if (wrong.length > 0) console.log(JSON.stringify({ seed, wrong }));
}
clearInterval(collector);
console.log("done");
