// The buffers of one generation: pictures, the encoder's keys and values, the caches and the tokens, all on the device.
import { type DeviceTensor, resolveShape, type Run, type Sizes } from "../graph/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import type { Compiled, ModelRunner } from "./runner.ts";
import type { Selection } from "./select.ts";

/** What a session has room for. */
export interface SessionShape {
  readonly batch: number;
  readonly beams: number;
  /** The pictures' height and width, in pixels. */
  readonly size: readonly [height: number, width: number];
  /** Positions of each row. */
  readonly positions: number;
  /** How many of the last tokens' logits the decoder gives: 1 to generate, T for all. */
  readonly logits: number;
  /** How the next token is found. */
  readonly selection: Selection;
  /** Whether positions are stretched to the pictures. @default false */
  readonly interpolate?: boolean;
}

/** Capacities are multiples of this, so that generations of similar lengths share buffers. */
const capacityStep = 64;

/** One generation's buffers and bindings. */
export class Session implements Disposable {
  readonly #stack = new DisposableStack();
  readonly #buffers: Record<string, DeviceTensor> = {};
  readonly sizes: Sizes;
  #encode!: Run;
  #cross!: Run;
  #select: Run | undefined;
  #bindDecode!: (sizes: Sizes) => Run;
  /** The decode bindings by T. */
  readonly #decode = new Map<number, Run>();

  private constructor(readonly runner: ModelRunner, readonly shape: SessionShape, sources: number) {
    const capacity = Math.ceil(shape.positions / capacityStep) * capacityStep;
    this.sizes = { batch: shape.batch, beams: shape.beams, sources, capacity, L: shape.logits };
  }

  /** Allocate the buffers and bind the programs. */
  static async create(runner: ModelRunner, shape: SessionShape): Promise<Session> {
    const encode = await runner.encodeProgram(shape.size, { interpolate: shape.interpolate });
    const cross = await runner.crossProgram();
    const decode = await runner.decodeProgram();
    const select = await runner.selectProgram(shape.selection);
    const sources = encode.graph.outputs.get("encoderStates")!.shape[1] as number;
    const session = new Session(runner, shape, sources);
    try {
      session.#encode = session.#bind(encode);
      session.#cross = session.#bind(cross);
      session.#bindDecode = (sizes) => session.#bind(decode, sizes);
      session.#select = select && session.#bind(select, { ...session.sizes, length: session.sizes.capacity - 1 });
    } catch (error) {
      session[Symbol.dispose]();
      throw error;
    }
    return session;
  }

  /** Whether the session can serve another generation. */
  fits({ positions, ...shape }: SessionShape): boolean {
    const { positions: _, ...own } = this.shape;
    return JSON.stringify(own) === JSON.stringify(shape) && positions <= this.sizes.capacity &&
      positions > this.sizes.capacity - capacityStep;
  }

  /** Queue the encoder on pictures [batch, channels, height, width], float32, and its keys and values. */
  encode(pixelValues: Tensor): void {
    const { backend } = this.runner;
    backend.write(this.#buffers.pixelValues, pixelValues.data);
    this.#encode.enqueue();
    this.#cross.enqueue();
  }

  /** Queue a write of rows of tokens from a position on. */
  writeTokens(rows: readonly (readonly number[])[], position = 0): void {
    rows.forEach((row, i) =>
      this.runner.backend.write(this.#tokens(), BigInt64Array.from(row, BigInt), i * this.sizes.capacity + position)
    );
  }

  /** Queue copies of the first `positions` positions of rows' caches to other rows. */
  moveRows(rows: readonly (readonly [from: number, to: number])[], positions: number): void {
    for (const [name, buffer] of Object.entries(this.#buffers)) {
      if (name.startsWith("self.")) this.runner.backend.copyRows(buffer, buffer, rows, positions);
    }
  }

  /** Queue the decoder on the T tokens from position `past` on, and the choice of the next token. */
  decode(past: number, T: number): void {
    let run = this.#decode.get(T);
    if (!run) {
      run = this.#bindDecode({ ...this.sizes, T, past: this.sizes.capacity - T });
      this.#decode.set(T, run);
    }
    run.enqueue({ past });
    this.#select?.enqueue({ length: past + T });
  }

  /** Wait, and read all tokens: [rows, capacity], int64. */
  readTokens(signal?: AbortSignal): Promise<Tensor> {
    return this.runner.backend.read(this.#tokens(), { signal });
  }

  /** Wait, and read what a program computed, such as `logits` or `encoderStates`. */
  read(name: string, options?: { shape?: readonly number[]; signal?: AbortSignal }): Promise<Tensor> {
    return this.runner.backend.read(this.#buffers[name], options);
  }

  #own<T extends Disposable>(value: T): T {
    return this.#stack.use(value);
  }

  #tokens(): DeviceTensor {
    const { batch, beams, capacity } = this.sizes;
    return this.#buffers.tokens ??= this.#own(this.runner.backend.allocate("int64", [batch * beams, capacity]));
  }

  /** Bind a program; buffers that another program has too are shared. */
  #bind({ graph, program }: Compiled, sizes: Sizes = this.sizes): Run {
    const taken: Record<string, DeviceTensor> = {};
    for (const [name, { dataType, shape }] of [...graph.inputs, ...graph.states, ...graph.outputs]) {
      const needed = resolveShape(shape, sizes);
      taken[name] = this.#buffers[name] ??= this.#own(this.runner.backend.allocate(dataType, needed));
    }
    return this.#own(program.bind(taken, sizes));
  }

  /** Release bindings and buffers. */
  [Symbol.dispose](): void {
    this.#stack[Symbol.dispose]();
  }
}
