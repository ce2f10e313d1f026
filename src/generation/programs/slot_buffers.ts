// The buffers of rows that come and go: caches and tokens with room for all slots, of which programs are bound to parts. An
// encoder writes the keys and values of one slot and a prompt fills its caches, so that no other slot's memory is touched;
// a step takes the first slots, as many as are in use, so that idle ones after them cost nothing.
import {
  type Backend,
  type CompiledProgram,
  type DeviceTensor,
  resolveShape,
  type Run,
  type Shape,
  type Sizes,
  type Stream,
  type TensorPart,
} from "../../graph/mod.ts";
import { type DataType, sizeOf, type Tensor, type TypedArray } from "../../tensor/mod.ts";
import { maxStepsPerRead } from "./max_steps_per_read.ts";

/** The programs that all slots share. */
export interface SlotPrograms {
  /** The encoder, in the parts that it is run in. */
  readonly encode: readonly CompiledProgram[];
  readonly cross: CompiledProgram;
  readonly decode: CompiledProgram;
}

/** How much room there is. */
export interface SlotRoom {
  readonly slots: number;
  /** Positions of each. */
  readonly capacity: number;
}

/** What is bound for one picture and belongs to no slot. */
const ofOnePicture = /^(pixelValues|encoderStates|part\.|prompt\.)/;

/** The buffers of all slots, and the bindings of programs to parts of them. */
export class SlotBuffers implements Disposable {
  readonly #buffers = new Map<string, DeviceTensor>();
  readonly #runs = new Map<string, Run>();
  /** For each slot the run of its last prompt's length. */
  readonly #prompts = new Map<number, { readonly key: string }>();
  /** The programs that take tokens, which are added as rows ask for them. */
  readonly #selections = new Set<CompiledProgram>();
  readonly #sources: number;

  /** @param stream Where the work of all slots is queued. */
  constructor(
    readonly backend: Backend,
    readonly stream: Stream,
    readonly programs: SlotPrograms,
    readonly room: SlotRoom,
  ) {
    this.#sources = programs.encode.at(-1)!.graph.outputs.get("encoderStates")!.shape[1] as number;
  }

  /** Parts of an encoding, of which the last also makes the keys and values. */
  get encodeParts(): number {
    return this.programs.encode.length;
  }

  /** Queue a part of the encoder on a picture [1, channels, height, width]; the last writes a slot's keys and values. */
  encode(part: number, pixelValues: Tensor, slot: number): void {
    if (part === 0) this.stream.write(this.#buffer("pixelValues"), pixelValues.data);
    this.stream.enqueue(this.#run(`encode ${part}`, this.programs.encode[part], { rows: 1 }));
    if (part < this.encodeParts - 1) return;
    this.stream.enqueue(this.#run(`cross ${slot}`, this.programs.cross, { rows: 1, from: slot }));
  }

  /** Queue a slot's prompt, of which the next step takes the last token: all others are decoded now. */
  prompt(slot: number, tokens: readonly number[]): void {
    this.writeTokens(slot, tokens, 0);
    const T = tokens.length - 1;
    if (T === 0) return;
    const key = `prompt ${slot} ${T}`;
    const last = this.#prompts.get(slot);
    if (last && last.key !== key) {
      this.#runs.get(last.key)?.[Symbol.dispose]();
      this.#runs.delete(last.key);
    }
    this.#prompts.set(slot, { key });
    // The positions of a prompt are all 0.
    const apart = { past: "prompt.past", logits: "prompt.logits" };
    this.stream.enqueue(this.#run(key, this.programs.decode, { rows: 1, from: slot, T, apart }), { length: T, at: 0 });
  }

  /** Queue copies of a slot's keys and values of the encoder, and of the first `positions` of its tokens and caches. */
  spread(from: number, to: readonly number[], positions: number): void {
    const moves = to.map((slot) => [from, slot] as const);
    for (const name of this.programs.cross.graph.outputs.keys()) this.#move(name, moves, "sources", this.#sources);
    this.moveRows(moves, positions);
  }

  /** Queue copies of the first `positions` of slots' tokens and caches to other slots, none of which is copied itself. */
  moveRows(moves: readonly (readonly [from: number, to: number])[], positions: number): void {
    for (const name of this.programs.decode.graph.states.keys()) this.#move(name, moves, "capacity", positions);
  }

  #move(name: string, rows: readonly (readonly [number, number])[], along: string, length: number): void {
    const buffer = this.#buffer(name);
    this.stream.copyRows(buffer, buffer, { rows, axis: this.#typeOf(name).shape.indexOf(along), length });
  }

  /** Queue a write of tokens of a slot from a position on. */
  writeTokens(slot: number, tokens: readonly number[], position: number): void {
    const { capacity } = this.room;
    this.stream.write(this.#buffer("tokens"), BigInt64Array.from(tokens, BigInt), slot * capacity + position);
  }

  /** Queue a write of an input from an element on. */
  write(name: string, data: TypedArray, offset = 0): void {
    this.stream.write(this.#buffer(name), data, offset);
  }

  /** Queue a step of the first `rows` slots, the `at`th of a read; none has more than `length` tokens. */
  decode(rows: number, length: number, at: number): void {
    this.stream.enqueue(this.#run(`decode ${rows}`, this.programs.decode, { rows }), { length, at });
  }

  /** Make room for what a program that takes tokens is given; then it may be queued. */
  add(selection: CompiledProgram): void {
    this.#selections.add(selection);
  }

  /** Queue the choice of the tokens after those of a step. */
  select(selection: CompiledProgram, rows: number, length: number, at: number): void {
    const key = `select ${[...this.#selections].indexOf(selection)} ${rows}`;
    this.stream.enqueue(this.#run(key, selection, { rows }), { length, at });
  }

  /** Wait for what is queued. */
  async settled(): Promise<void> {
    await this.stream.read(this.#buffer("tokens"), { shape: [1] });
  }

  /** Wait, and read what programs computed for the first `rows` slots. */
  read(name: string, rows: number): Promise<Tensor> {
    const { shape } = this.#typeOf(name);
    return this.stream.read(this.#buffer(name), { shape: resolveShape(shape, this.#sizes(rows)) });
  }

  /** Wait, and read the memory of a slot: its caches, its keys and values of the encoder, and its tokens, by name. */
  async readSlot(slot: number): Promise<Map<string, Tensor["data"]>> {
    const names = [...this.programs.decode.graph.states.keys(), ...this.programs.cross.graph.outputs.keys()];
    const read = names.map(async (name) => {
      const { data } = await this.stream.read(this.#buffer(name));
      const each = data.length / this.room.slots;
      return [name, data.slice(slot * each, (slot + 1) * each)] as const;
    });
    return new Map(await Promise.all(read));
  }

  #sizes(rows: number, T = 1): Sizes {
    const { capacity } = this.room;
    return { batch: rows, beams: 1, sources: this.#sources, capacity, steps: maxStepsPerRead, L: 1, T };
  }

  #typeOf(name: string): { dataType: DataType; shape: Shape } {
    const plain = name.replace("prompt.", "");
    const { encode, cross, decode } = this.programs;
    for (const { graph: { inputs, states, outputs } } of [...encode, cross, decode, ...this.#selections]) {
      const value = inputs.get(plain) ?? states.get(plain) ?? outputs.get(plain);
      if (value) return value;
    }
    throw new Error(`no program of the slots has "${name}"`);
  }

  #buffer(name: string): DeviceTensor {
    let buffer = this.#buffers.get(name);
    if (!buffer) {
      const { dataType, shape } = this.#typeOf(name);
      const rows = ofOnePicture.test(name) ? 1 : this.room.slots;
      this.#buffers.set(name, buffer = this.backend.allocate(dataType, resolveShape(shape, this.#sizes(rows))));
    }
    return buffer;
  }

  /** The binding of a program to `rows` slots from one on; `apart` names buffers that take the place of all slots'. */
  #run(
    key: string,
    { graph, program }: CompiledProgram,
    { rows, from = 0, T = 1, apart = {} }: {
      readonly rows: number;
      readonly from?: number;
      readonly T?: number;
      readonly apart?: Readonly<Record<string, string>>;
    },
  ): Run {
    let run = this.#runs.get(key);
    if (run) return run;
    const sizes = this.#sizes(rows, T);
    const parts = [...graph.inputs, ...graph.states, ...graph.outputs].map(
      ([name, { shape }]): [string, TensorPart] => {
        const own = apart[name] ?? name;
        const first = ofOnePicture.test(own) ? 0 : from;
        return [name, { tensor: this.#buffer(own), offset: first * sizeOf(resolveShape(shape, sizes)) / rows }];
      },
    );
    const maxima = { ...sizes, length: this.room.capacity - 1, at: maxStepsPerRead - 1 };
    this.#runs.set(key, run = program.bind(Object.fromEntries(parts), maxima));
    return run;
  }

  /** Release bindings and buffers. */
  [Symbol.dispose](): void {
    for (const run of this.#runs.values()) run[Symbol.dispose]();
    for (const buffer of this.#buffers.values()) buffer[Symbol.dispose]();
    this.#runs.clear();
    this.#buffers.clear();
  }
}
