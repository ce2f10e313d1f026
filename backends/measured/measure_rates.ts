// Measuring how fast a backend's device is, through the seam alone: three small programs that do what a model does most. The
// weights are large enough that a processor's caches do not hold them all.
import {
  type Backend,
  type DeviceTensor,
  type Graph,
  GraphBuilder,
  type Program,
  type Run,
  type Stream,
} from "../../src/graph/mod.ts";
import { linear } from "../../src/operators/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import { weightFromTensor } from "../../src/weights/mod.ts";
import type { Rates } from "./rates.ts";

/** Products one after another of `rows` rows: the widths of what goes through them, the first the input's. */
interface Chain {
  readonly rows: number;
  readonly widths: readonly number[];
}

/** A token's products with large weights. */
const reading: Chain = { rows: 1, widths: Array(4).fill(2048) };
/** An encoder's feed-forward layer on a picture of 197 states. */
const computing: Chain = { rows: 197, widths: [1024, 2048, 1024] };
/** Products so small that beginning them is all that they cost. */
const beginning: Chain = { rows: 1, widths: Array(49).fill(64) };

/** The seconds that are timed apart from the wait at their end: a GPU's is as long, and varies by a tenth of it. */
const enough = 0.01;
/** Runs that take so many seconds are not repeated. */
const long = 0.03;
/** How often a program is run, the later numbers where the earlier were too few. */
const repetitions = [4, 32, 256];

function* productsOf({ widths }: Chain): Generator<[inputs: number, outputs: number]> {
  for (let i = 1; i < widths.length; i++) yield [widths[i - 1], widths[i]];
}

function graphOf(chain: Chain): Graph {
  const builder = new GraphBuilder("speed");
  let x = builder.input("x", "float32", [chain.rows, chain.widths[0]]);
  for (const [i, [inputs, outputs]] of [...productsOf(chain)].entries()) {
    x = linear(x, builder.parameter(`weight.${i}`, [outputs, inputs]));
  }
  builder.output("y", x);
  return builder.build();
}

/** A program on a device, and its buffers. */
class TimedChain implements Disposable {
  readonly #owned = new DisposableStack();
  readonly #stream: Stream;
  readonly #run: Run;
  readonly #y: DeviceTensor;

  private constructor(
    backend: Backend,
    { program, owned }: { program: Program; owned: DisposableStack },
    chain: Chain,
  ) {
    this.#owned = owned;
    this.#stream = owned.use(backend.stream());
    const { rows, widths } = chain;
    const x = owned.use(backend.allocate("float32", [rows, widths[0]]));
    this.#y = owned.use(backend.allocate("float32", [rows, widths.at(-1)!]));
    this.#stream.write(x, new Float32Array(rows * widths[0]).fill(1));
    this.#run = owned.use(program.bind({ x, y: this.#y }));
  }

  static async compile(backend: Backend, chain: Chain): Promise<TimedChain> {
    using stack = new DisposableStack();
    const sizes = [...productsOf(chain)];
    // Each weight is one of its own on the device, of numbers with which sums stay about as they are.
    const numbers = new Float32Array(Math.max(...sizes.map(([inputs, outputs]) => inputs * outputs)));
    numbers.fill(1 / Math.max(...chain.widths));
    const source = new Map(sizes.map(([inputs, outputs], i) => {
      const data = numbers.subarray(0, inputs * outputs);
      return [`weight.${i}`, weightFromTensor(new Tensor("float32", [outputs, inputs], data))];
    }));
    const weights = stack.use(await backend.open(source));
    const program = stack.use(await backend.compile(graphOf(chain), weights));
    return new TimedChain(backend, { program, owned: stack.move() }, chain);
  }

  /** Run it so often and wait for a number of the result. @returns The seconds. */
  async #time(times: number): Promise<number> {
    const began = performance.now();
    for (let i = 0; i < times; i++) this.#stream.enqueue(this.#run);
    await this.#stream.read(this.#y, { shape: [1] });
    return (performance.now() - began) / 1000;
  }

  /** The seconds of a run, and those of the wait beside it. */
  async measure(): Promise<{ run: number; wait: number }> {
    await this.#time(1);
    const first = await this.#time(1);
    if (first > long) return { run: first, wait: 0 };
    const once = Math.min(first, await this.#time(1));
    for (const times of repetitions) {
      const more = await this.#time(times) - once;
      if (more < enough && times !== repetitions.at(-1)) continue;
      const run = Math.min(once, Math.max(more, 0) / (times - 1));
      return { run, wait: once - run };
    }
    throw new Error("unreachable");
  }

  [Symbol.dispose](): void {
    this.#owned[Symbol.dispose]();
  }
}

/** The seconds of a chain on a backend. */
async function secondsOf(backend: Backend, chain: Chain): Promise<{ run: number; wait: number }> {
  using timed = await TimedChain.compile(backend, chain);
  return await timed.measure();
}

/** The products of all runs. */
const sum = (chain: Chain, of: (inputs: number, outputs: number) => number): number =>
  [...productsOf(chain)].reduce((total, [inputs, outputs]) => total + of(inputs, outputs), 0);

/**
 * Measure a backend's device, in some 0.2 seconds.
 *
 * @throws {LimnerError} If the device fails.
 */
export async function measureRates(backend: Backend): Promise<Rates> {
  const small = await secondsOf(backend, beginning);
  const read = await secondsOf(backend, reading);
  const computed = await secondsOf(backend, computing);
  const least = 1e-9; // a clock may show nothing
  return {
    bytesPerSecond: sum(reading, (inputs, outputs) => 4 * inputs * outputs) / Math.max(read.run, least),
    operationsPerSecond: sum(computing, (inputs, outputs) => 2 * computing.rows * inputs * outputs) /
      Math.max(computed.run, least),
    secondsPerProduct: small.run / (beginning.widths.length - 1),
    secondsPerRead: small.wait,
    stepsPerRead: backend.stepsPerRead,
  };
}
