// The buffers of one generation: pictures, the encoder's keys and values, the caches and the tokens, all on the device.
// A generation begins with all rows; when some have ended the others can be moved together, and it goes on with fewer.
import {
  type Backend,
  type CompiledProgram,
  type DeviceTensor,
  type ReadOptions,
  resolveShape,
  type Run,
  type Shape,
  type Sizes,
  type Stream,
} from "../../graph/mod.ts";
import type { DataType, Tensor, TypedArray } from "../../tensor/mod.ts";
import { maxStepsPerRead } from "./max_steps_per_read.ts";
import type { Selection } from "./selection_program.ts";

/** What a session has room for. */
export interface SessionShape {
  readonly batch: number;
  readonly beams: number;
  /** The pictures' height and width, in pixels. */
  readonly size: readonly [height: number, width: number];
  /** Positions of each row. */
  readonly positions: number;
  /** How the next token is found. */
  readonly selection: Selection;
  /** Whether positions are stretched to the pictures. @default false */
  readonly interpolate?: boolean;
}

/** From which row (or picture) to which. */
export type Move = readonly [from: number, to: number];

/** Capacities are multiples of this, so that generations of similar lengths share buffers. */
const capacityStep = 64;

/** The programs of a session. */
export interface SessionPrograms {
  readonly encode: CompiledProgram;
  readonly cross: CompiledProgram;
  readonly decode: CompiledProgram;
  readonly select: CompiledProgram | undefined;
}

/** What depends on how many rows there are: their states, and the bindings of programs. */
class Stage implements Disposable {
  readonly states: Record<string, DeviceTensor> = {};
  readonly #runs = new Map<string, Run>();

  constructor(readonly sizes: Sizes) {}

  get rows(): number {
    return this.sizes.batch * this.sizes.beams;
  }

  /** The binding of a key; of `decode`'s, those of one step and of the last prompt's length are kept. */
  run(key: string, bind: () => Run): Run {
    let run = this.#runs.get(key);
    if (run) return run;
    if (key.startsWith("decode ")) {
      for (const [old, unused] of this.#runs) {
        if (!old.startsWith("decode ") || old === "decode 1" || key === "decode 1") continue;
        unused[Symbol.dispose]();
        this.#runs.delete(old);
      }
    }
    this.#runs.set(key, run = bind());
    return run;
  }

  [Symbol.dispose](): void {
    for (const run of this.#runs.values()) run[Symbol.dispose]();
    for (const state of Object.values(this.states)) state[Symbol.dispose]();
  }
}

/** One generation's buffers and bindings. */
export class Session implements Disposable {
  /** Inputs and outputs, with room for all rows. */
  readonly #buffers: Record<string, DeviceTensor> = {};
  readonly #whole: Stage;
  #stage: Stage;

  /** Buffers are allocated when they are first needed. */
  constructor(
    readonly backend: Backend,
    readonly shape: SessionShape,
    readonly programs: SessionPrograms,
    /** Where the work of the generation under way is queued. */
    public stream: Stream,
  ) {
    const { batch, beams, positions } = shape;
    const capacity = Math.ceil(positions / capacityStep) * capacityStep;
    const sources = programs.encode.graph.outputs.get("encoderStates")!.shape[1] as number;
    this.#stage = this.#whole = new Stage({ batch, beams, sources, capacity, L: 1 });
  }

  /** The number V of tokens. */
  get vocabularySize(): number {
    return this.#typeOf("logits").shape[2] as number;
  }

  /** The sizes now: `batch` pictures of `beams` rows, `capacity` positions. */
  get sizes(): Sizes {
    return this.#stage.sizes;
  }

  /** The number of rows now. */
  get rows(): number {
    return this.#stage.rows;
  }

  /** Whether the session can serve another generation. */
  fits({ positions, ...shape }: SessionShape): boolean {
    const { positions: _, ...own } = this.shape;
    const { capacity } = this.sizes;
    return JSON.stringify(own) === JSON.stringify(shape) && positions <= capacity &&
      positions > capacity - capacityStep;
  }

  /** Queue the encoder on pictures [batch, channels, height, width], float32, and its keys and values; with all rows. */
  encode(pixelValues: Tensor): void {
    this.#enter(this.#whole);
    const encode = this.#run("encode");
    this.write("pixelValues", pixelValues.data);
    this.stream.enqueue(encode);
    this.stream.enqueue(this.#run("cross"));
  }

  /** Queue a write of an input; none where no program has it. */
  write(name: string, data: TypedArray): void {
    this.stream.write(this.#buffer(name), data);
  }

  /** Queue a write of rows of tokens from a position on. */
  writeTokens(rows: readonly (readonly number[])[], position = 0): void {
    const { capacity } = this.sizes;
    const tokens = this.#buffer("tokens");
    rows.forEach((row, i) => this.stream.write(tokens, BigInt64Array.from(row, BigInt), i * capacity + position));
  }

  /** Queue copies of the first `positions` positions of rows' tokens and caches to other rows. */
  moveRows(rows: readonly Move[], positions: number): void {
    for (const [name, state] of Object.entries(this.#stage.states)) {
      this.stream.copyRows(state, state, { rows, axis: this.#axisOf(name, "capacity"), length: positions });
    }
  }

  /**
   * Go on with fewer rows.
   *
   * @param to How many pictures, and rows of each.
   * @param moves Where the pictures and rows go that are kept; a place that none goes to holds nothing of use.
   * @param positions The positions in use.
   */
  shrink(
    to: { batch: number; beams: number },
    moves: { pictures: readonly Move[]; rows: readonly Move[] },
    positions: number,
  ): void {
    const before = this.#stage;
    const smaller = new Stage({ ...before.sizes, ...to });
    for (const [name, { dataType, capacity: [, ...rest] }] of Object.entries(before.states)) {
      const axis = this.#axisOf(name, "capacity");
      // What has no positions is of no use to other rows.
      if (axis < 0) continue;
      smaller.states[name] = this.backend.allocate(dataType, [smaller.rows, ...rest]);
      this.stream.copyRows(before.states[name], smaller.states[name], { rows: moves.rows, axis, length: positions });
    }
    for (const [name, buffer] of Object.entries(this.#buffers)) {
      if (!name.startsWith("cross.")) continue;
      const axis = this.#axisOf(name, "sources");
      this.stream.copyRows(buffer, buffer, { rows: moves.pictures, axis, length: this.sizes.sources });
    }
    this.#enter(smaller);
  }

  /** Queue the decoder on the T tokens from position `past` on, and the choice of the next token, the `at`th of a read. */
  decode(past: number, T: number, at = 0): void {
    this.stream.enqueue(this.#run("decode", T), { past });
    if (this.programs.select) this.stream.enqueue(this.#run("select"), { length: past + T, at });
  }

  /** Wait, and read all tokens: [rows, capacity], int64. */
  readTokens(): Promise<Tensor> {
    return this.stream.read(this.#buffer("tokens"));
  }

  /** Wait, and read what a program computed for the rows there are, such as `logits`. */
  read(name: string, options: Omit<ReadOptions, "shape"> = {}): Promise<Tensor> {
    const shape = resolveShape(this.#typeOf(name).shape, this.sizes);
    return this.stream.read(this.#buffer(name), { ...options, shape });
  }

  /** Wait, and read the encoder's states of all pictures, [batch, S, C]; of `shape`, if they need not be whole. */
  readStates(options: ReadOptions = {}): Promise<Tensor> {
    const shape = options.shape ?? resolveShape(this.#typeOf("encoderStates").shape, this.#whole.sizes);
    return this.stream.read(this.#buffer("encoderStates"), { ...options, shape });
  }

  #enter(stage: Stage): void {
    if (this.#stage !== stage && this.#stage !== this.#whole) this.#stage[Symbol.dispose]();
    this.#stage = stage;
  }

  #typeOf(name: string): { dataType: DataType; shape: Shape; isState: boolean } {
    for (const compiled of Object.values(this.programs)) {
      const { inputs, states, outputs } = (compiled as CompiledProgram | undefined)?.graph ?? {};
      const value = inputs?.get(name) ?? states?.get(name) ?? outputs?.get(name);
      if (value) return { dataType: value.dataType, shape: value.shape, isState: states!.has(name) };
    }
    throw new Error(`no program of the session has "${name}"`);
  }

  /** Which axis of a tensor has a size; -1 where none has. */
  #axisOf(name: string, size: string): number {
    return this.#typeOf(name).shape.indexOf(size);
  }

  /** The buffer of a name; programs that have the same name share it. */
  #buffer(name: string): DeviceTensor {
    const known = this.#stage.states[name] ?? this.#buffers[name];
    if (known) return known;
    const { dataType, shape, isState } = this.#typeOf(name);
    const place = isState ? this.#stage : this.#whole;
    const buffer = this.backend.allocate(dataType, resolveShape(shape, { ...place.sizes, T: 1 }));
    return (isState ? this.#stage.states : this.#buffers)[name] = buffer;
  }

  #run(name: keyof SessionPrograms, T = 1): Run {
    return this.#stage.run(`${name} ${T}`, () => {
      const { graph, program } = this.programs[name]!;
      const names = [...graph.inputs.keys(), ...graph.states.keys(), ...graph.outputs.keys()];
      const tensors = Object.fromEntries(names.map((tensor) => [tensor, this.#buffer(tensor)]));
      const { sizes } = this;
      const { capacity } = sizes;
      return program.bind(tensors, { ...sizes, T, past: capacity - T, length: capacity - 1, at: maxStepsPerRead - 1 });
    });
  }

  /** Release bindings and buffers. */
  [Symbol.dispose](): void {
    this.#enter(this.#whole);
    this.#whole[Symbol.dispose]();
    for (const buffer of Object.values(this.#buffers)) buffer[Symbol.dispose]();
  }
}
