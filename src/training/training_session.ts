// What a trainer has on its backend: the compiled programs, the moments beside the parameters, and the buffers of a batch.
import { OptionError } from "../errors/mod.ts";
import {
  type Backend,
  type CompiledProgram,
  type DeviceTensor,
  ProgramCache,
  resolveShape,
  type Run,
  type Sizes,
  type Stream,
  type Weights,
} from "../graph/mod.ts";
import { buildForward, dropoutKey } from "../models/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import { momentName, momentsOf, type UpdateScalars } from "./optimizer.ts";
import type { BatchTensors } from "./training_batch.ts";
import { buildAccumulation, buildStep, buildUpdate, gradientName, type TrainingPlan } from "./training_programs.ts";

/** The scalars that a program takes, and those it gives. */
type Scalars = Readonly<Record<string, number>>;

/** A program with buffers for batches of one shape. */
interface Bound extends Disposable {
  readonly run: Run;
  readonly buffers: Readonly<Record<string, DeviceTensor>>;
}

/** What makes all that a step drops, as `randomKey` gives it. */
type DropoutKey = BigInt64Array<ArrayBuffer>;

/** For how many shapes of batches the buffers are kept. */
const keptShapes = 4;

/** A trainer's work on a backend. One call at a time. */
export class TrainingSession implements AsyncDisposable {
  readonly #programs: ProgramCache;
  /** Moments and sums of gradients, by their names in programs. */
  readonly #states = new Map<string, DeviceTensor>();
  /** The most recently used last. */
  readonly #bound = new Map<string, Bound>();

  private constructor(readonly backend: Backend, readonly weights: Weights, readonly plan: TrainingPlan) {
    this.#programs = new ProgramCache(backend, weights);
  }

  /**
   * Let programs write what is trained, and begin with moments of 0 and averages of the present values.
   *
   * @throws {OptionError} If the settings ask for what the backend does not have.
   */
  static async create(backend: Backend, weights: Weights, plan: TrainingPlan): Promise<TrainingSession> {
    if (plan.settings.activationStorage === "float16" && backend.name !== "webgpu") {
      throw new OptionError(
        `Cannot train with activationStorage "float16" on the ${backend.name} backend: only webgpu holds values so`,
      );
    }
    await weights.train(plan.shapes.keys());
    const session = new TrainingSession(backend, weights, plan);
    try {
      for (const moment of momentsOf(plan.settings)) {
        for (const name of plan.shapes.keys()) {
          session.#allocate(momentName(moment, name), name);
          if (moment === "average") await session.writeState(momentName(moment, name), await weights.read(name));
        }
      }
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
    return session;
  }

  /** The names of the states there are. */
  get states(): readonly string[] {
    return [...this.#states.keys()];
  }

  /** A whole step. */
  async step(
    batch: BatchTensors,
    key: DropoutKey,
    scalars: UpdateScalars,
  ): Promise<{ loss: number; gradNorm: number }> {
    const size = sizeOf(batch);
    const compiled = await this.#programs.get("step", { size }, () => buildStep(this.plan, size));
    return await this.#run("step", compiled, batch, { ...scalars }, key) as { loss: number; gradNorm: number };
  }

  /** Add a batch's gradients, times `weight`, to the sums; or begin these with them. */
  async accumulate(
    batch: BatchTensors,
    key: DropoutKey,
    { weight, begins }: { weight: number; begins: boolean },
  ): Promise<{ loss: number }> {
    for (const name of this.plan.shapes.keys()) {
      if (!this.#states.has(gradientName(name))) this.#allocate(gradientName(name), name);
    }
    const size = sizeOf(batch);
    const compiled = await this.#programs.get("accumulate", { size }, () => buildAccumulation(this.plan, size));
    const scalars = { weight, begins: Number(begins) };
    return await this.#run("accumulate", compiled, batch, scalars, key) as { loss: number };
  }

  /** Update the parameters from the sums, times `scale`. */
  async update(scalars: UpdateScalars, scale: number): Promise<{ gradNorm: number }> {
    const compiled = await this.#programs.get("update", {}, () => buildUpdate(this.plan));
    return await this.#run("update", compiled, {}, { ...scalars, scale }) as { gradNorm: number };
  }

  /** The loss of a batch, without label smoothing. */
  async loss(batch: BatchTensors): Promise<number> {
    const size = sizeOf(batch);
    const build = () => buildForward(this.plan.architecture, { size, loss: true, logits: false, states: false });
    const { loss } = await this.#run("loss", await this.#programs.get("loss", { size }, build), batch, {});
    return loss;
  }

  /** Read a state. */
  async readState(name: string): Promise<Tensor> {
    using stream = this.backend.stream();
    return await stream.read(this.#states.get(name)!);
  }

  /** Set a state, float32 of its parameter's shape; a sum of gradients need not be there before. */
  async writeState(name: string, { data, shape }: Tensor): Promise<void> {
    using stream = this.backend.stream();
    const state = this.#states.get(name) ?? this.backend.allocate("float32", shape);
    this.#states.set(name, state);
    stream.write(state, data);
    await stream.read(state, { shape: [1] }); // so that a failure is thrown here
  }

  /** Put the moving averages in the parameters' place, and these in theirs. */
  async exchangeAverages(): Promise<void> {
    for (const name of this.plan.shapes.keys()) {
      const average = momentName("average", name);
      const [parameter, averaged] = [await this.weights.read(name), await this.readState(average)];
      await this.weights.write(name, averaged);
      await this.writeState(average, parameter);
    }
  }

  /** Execute a program once, and read its outputs. */
  async #run(
    kind: string,
    compiled: CompiledProgram,
    batch: BatchTensors,
    scalars: Scalars,
    key?: DropoutKey,
  ): Promise<Scalars> {
    const { run, buffers } = this.#bind(kind, compiled, batch);
    using stream = this.backend.stream();
    for (const [name, tensor] of Object.entries(batch)) stream.write(buffers[name], tensor.data);
    for (const [name, value] of Object.entries(scalars)) writeScalar(stream, buffers[name], value);
    if (key && buffers[dropoutKey]) stream.write(buffers[dropoutKey], key);
    stream.enqueue(run);
    const found: Record<string, number> = {};
    for (const name of compiled.graph.outputs.keys()) {
      found[name] = Number((await stream.read(buffers[name])).data[0]);
    }
    return found;
  }

  /** The buffers for a batch, which those of an earlier batch of its shape serve again. */
  #bind(kind: string, { graph, program }: CompiledProgram, batch: BatchTensors): Bound {
    const key = [kind, ...Object.values(batch).map(({ shape }) => shape.join())].join(" ");
    const known = this.#bound.get(key);
    this.#bound.delete(key);
    const bound = known ?? this.#allocateFor(graph, program, batch);
    this.#bound.set(key, bound);
    for (const [oldest, unused] of [...this.#bound].slice(0, -keptShapes)) {
      unused[Symbol.dispose]();
      this.#bound.delete(oldest);
    }
    return bound;
  }

  #allocateFor(graph: CompiledProgram["graph"], program: CompiledProgram["program"], batch: BatchTensors): Bound {
    const [rows, T] = batch.labels?.shape ?? [];
    const sizes: Sizes = batch.labels ? { batch: rows, T } : {};
    using stack = new DisposableStack();
    const buffers: Record<string, DeviceTensor> = {};
    for (const [name, { dataType, shape }] of [...graph.inputs, ...graph.outputs]) {
      buffers[name] = this.#states.get(name) ??
        stack.use(this.backend.allocate(dataType, resolveShape(shape, sizes)));
    }
    const states = Object.fromEntries([...graph.states.keys()].map((name) => [name, this.#states.get(name)!]));
    const run = stack.use(program.bind({ ...buffers, ...states }, sizes));
    const owned = stack.move();
    return { run, buffers, [Symbol.dispose]: () => owned.dispose() };
  }

  #allocate(name: string, parameter: string): void {
    this.#states.set(name, this.backend.allocate("float32", this.plan.shapes.get(parameter)!));
  }

  /** Release the programs, the buffers and the states. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const bound of this.#bound.values()) bound[Symbol.dispose]();
    this.#bound.clear();
    await this.#programs[Symbol.asyncDispose]();
    for (const state of this.#states.values()) state[Symbol.dispose]();
    this.#states.clear();
  }
}

/** The height and width of a batch's pictures. */
function sizeOf({ pixelValues }: BatchTensors): [height: number, width: number] {
  const [, , height, width] = pixelValues.shape;
  return [height, width];
}

function writeScalar(stream: Stream, buffer: DeviceTensor | undefined, value: number): void {
  if (buffer) stream.write(buffer, Float32Array.of(value));
}
