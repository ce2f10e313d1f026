// The model's forward call: the program for what is asked compiled once, run once, and read.
import { checkInputs, type ForwardInputs } from "./forward_inputs.ts";
import { type Backend, type DeviceTensor, ProgramCache, resolveShape, type Sizes, type Weights } from "../graph/mod.ts";
import {
  type Architecture,
  buildForward,
  type ForwardOptions,
  type VisionEncoderDecoderConfig,
} from "../models/mod.ts";
import type { Tensor } from "../tensor/mod.ts";

/** What `forward` computes. */
export interface ForwardOutput {
  /** The mean cross entropy over labels other than -100, if labels were given. */
  readonly loss?: number;
  /** Shape [batch, T, vocabulary], float32. */
  readonly logits: Tensor;
  /** Shape [batch, S, C], float32, before any projection. */
  readonly encoderLastHiddenState: Tensor;
  /** The embeddings' output and each layer's, if asked for. */
  readonly encoderHiddenStates?: Tensor[];
  /** The embeddings' output and each layer's, [batch, T, C], if asked for. */
  readonly decoderHiddenStates?: Tensor[];
  /** Each layer's attention to the text, [batch, H, T, T], if asked for. */
  readonly decoderAttentions?: Tensor[];
  /** Each layer's attention to the picture, [batch, H, T, S], if asked for. */
  readonly crossAttentions?: Tensor[];
}

/** Runs forward programs of one model. */
export class ForwardRunner implements AsyncDisposable {
  readonly #programs: ProgramCache;

  /** @param weights The model's weights, which stay the caller's. */
  constructor(
    readonly architecture: Architecture,
    readonly backend: Backend,
    readonly weights: Weights,
  ) {
    this.#programs = new ProgramCache(backend, weights);
  }

  /**
   * Run the model on ids or labels.
   *
   * @throws {ShapeError} If the inputs do not fit the model or one another.
   * @throws {ConfigError} If labels are to be shifted and the configuration lacks what that needs.
   */
  async run(inputs: ForwardInputs, config: VisionEncoderDecoderConfig): Promise<ForwardOutput> {
    const given = checkInputs(inputs, this.architecture, config);
    const options: ForwardOptions = {
      size: inputs.encoderOutputs ? undefined : inputs.pixelValues!.shape.slice(2) as [number, number],
      interpolate: inputs.interpolatePosEncoding ?? false,
      loss: inputs.labels !== undefined,
      mask: inputs.decoderAttentionMask !== undefined,
      hiddenStates: inputs.outputHiddenStates ?? false,
      attentions: inputs.outputAttentions ?? false,
    };
    const build = () => buildForward(this.architecture, options);
    const { graph, program } = await this.#programs.get("forward", options, build);
    const [batch, T] = given.decoderInputIds.shape;
    const sizes: Sizes = { batch, T, ...(inputs.encoderOutputs && { sources: inputs.encoderOutputs.shape[1] }) };
    using stack = new DisposableStack();
    const stream = stack.use(this.backend.stream());
    const buffers: Record<string, DeviceTensor> = {};
    for (const [name, { dataType, shape }] of [...graph.inputs, ...graph.outputs]) {
      buffers[name] = stack.use(this.backend.allocate(dataType, resolveShape(shape, sizes)));
      if (graph.inputs.has(name)) stream.write(buffers[name], given[name].data);
    }
    const run = stack.use(program.bind(buffers, sizes));
    stream.enqueue(run);
    const results = new Map<string, Tensor>();
    for (const name of graph.outputs.keys()) results.set(name, await stream.read(buffers[name]));
    return outputOf(results, inputs.encoderOutputs);
  }

  /** Release the programs. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#programs[Symbol.asyncDispose]();
  }
}

/** The results of a program, grouped. */
function outputOf(results: ReadonlyMap<string, Tensor>, encoderOutputs: Tensor | undefined): ForwardOutput {
  const list = (name: string): Tensor[] => {
    const tensors: Tensor[] = [];
    for (let n = 0; results.has(`${name}.${n}`); n++) tensors.push(results.get(`${name}.${n}`)!);
    return tensors;
  };
  const lists = Object.fromEntries(
    ["encoderHiddenStates", "decoderHiddenStates", "decoderAttentions", "crossAttentions"]
      .map((name) => [name, list(name)] as const).filter(([, tensors]) => tensors.length > 0),
  );
  const loss = results.get("loss");
  return {
    ...(loss && { loss: Number(loss.data[0]) }),
    logits: results.get("logits")!,
    encoderLastHiddenState: encoderOutputs ?? results.get("encoderStates")!,
    ...lists,
  };
}
