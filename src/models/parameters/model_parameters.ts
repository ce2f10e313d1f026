// A model's parameters by checkpoint name: those its programs read and those that only files have, where each value
// comes from, and what was set since; and beside them those of its adapter. All together are the source that a backend reads
// weights from: it looks a name up when a program asks for it, so an adapter may be added while weights are open.
import { ShapeError } from "../../errors/mod.ts";
import { demand } from "../../limits/mod.ts";
import { type DataType, isFloat, sizeOf, Tensor, toFloat32 } from "../../tensor/mod.ts";
import { formatShape, GraphBuilder, type WeightStorage } from "../../graph/mod.ts";
import { type StoredWeight, type StoredWeights, weightFromTensor } from "../../weights/mod.ts";
import { buildForward } from "../forward_program.ts";
import { fill, type Initial, initialByName } from "./initial_values.ts";
import { decoders, encoders, readSection } from "../registry.ts";
import { Scope } from "../scope.ts";
import type { Architecture } from "../vision_encoder_decoder.ts";
import type { VisionEncoderDecoderConfig } from "../config/vision_encoder_decoder_config.ts";

/** A parameter that an architecture has. */
export interface DeclaredParameter {
  readonly shape: readonly number[];
  /** Whether a program reads it; else files have it all the same. */
  readonly used: boolean;
}

/** Every parameter of an architecture, with the names and shapes that Transformers writes; tied ones once. */
export function declaredParameters(architecture: Architecture): Map<string, DeclaredParameter> {
  const { encoder, decoder } = architecture;
  const declared = new Map<string, DeclaredParameter>();
  const collect = (parameters: ReadonlyMap<string, { shape: readonly (number | string)[] }>, used: boolean) => {
    for (const [name, { shape }] of parameters) {
      if (!declared.has(name)) declared.set(name, { shape: shape as number[], used });
    }
  };
  collect(buildForward(architecture, { size: encoder.imageSize }).parameters, true);
  const builder = new GraphBuilder("unused");
  encoder.declareUnused?.(new Scope(builder, "encoder", architecture));
  decoder.declareUnused?.(new Scope(builder, "decoder", architecture));
  collect(builder.build().parameters, false);
  return declared;
}

/** What files hold beside a model's parameters. */
export interface LeftOver {
  /** The tensors that no parameter took, as the files call them. */
  readonly unusedTensors: readonly string[];
  /** The prefixes of the parameters' names, such as `module.`. */
  readonly namePrefixes: readonly string[];
}

/** How a new parameter of a model is filled. */
function initialOf(config: VisionEncoderDecoderConfig, name: string, shape: readonly number[]): Initial {
  const section = name.startsWith("encoder.") ? "encoder" : "decoder";
  const { family, reader } = section === "encoder"
    ? readSection(encoders, config.encoder, section)
    : readSection(decoders, config.decoder, section);
  const range = reader.values.initializer_range ?? reader.values.init_std;
  const deviation = typeof range === "number" && range ? range : 0.02;
  const own = name.startsWith(`${section}.`)
    ? family.initial?.(name.slice(section.length + 1), reader, shape)
    : undefined;
  return own ?? initialByName(name, shape, deviation);
}

/** A model's parameters. */
export class ModelParameters {
  readonly #stored: Map<string, StoredWeight>;
  /** The model's own, and the adapter's. */
  readonly #source: Map<string, StoredWeight>;
  /** Those that training changed: their value is the backend's. */
  readonly trained: Set<string> = new Set();

  private constructor(
    stored: Map<string, StoredWeight>,
    readonly declared: ReadonlyMap<string, DeclaredParameter>,
    /** Those that were not found and are filled by Hugging Face's rules. */
    readonly newlyInitialized: readonly string[],
    /** What the files held beside them. */
    readonly leftOver: LeftOver,
    /** Constants that Transformers writes beside the parameters. */
    readonly buffers: ReadonlyMap<string, Tensor>,
  ) {
    this.#stored = stored;
    this.#source = new Map(stored);
  }

  /**
   * Find a model's parameters.
   *
   * @param find Where a parameter's value is, if anywhere.
   * @param options.fresh Which of those that are not found are filled: all, or only those that no program reads; a
   * backend says which others are missing when it compiles.
   * @param options.seed Makes the random numbers of those that are filled.
   * @param options.declared The parameters of the architecture, where they are known already.
   * @param options.leftOver Says, once all were looked for, what the files hold beside them.
   * @throws {ShapeError} If one has another shape than the configuration says.
   * @throws {LimitError} If the configuration asks for more than `limits.maxParameters` numbers.
   */
  static gather(
    config: VisionEncoderDecoderConfig,
    architecture: Architecture,
    find: (name: string) => StoredWeight | undefined,
    options: {
      fresh: "all" | "unused";
      seed?: number;
      declared?: ReadonlyMap<string, DeclaredParameter>;
      leftOver?: () => LeftOver;
    },
  ): ModelParameters {
    const { declared = declaredParameters(architecture), leftOver } = options;
    checkNumbers(architecture, declared);
    const stored = new Map<string, StoredWeight>();
    const fresh: string[] = [];
    for (const [name, { shape, used }] of declared) {
      const found = find(name);
      if (found) {
        if (!sameShape(found.shape, shape)) throw otherShape(name, found.shape, shape, { architecture });
        stored.set(name, found);
      } else if (options.fresh === "all" || !used) {
        fresh.push(name);
        const load = () => Promise.resolve(fill(initialOf(config, name, shape), name, shape, options.seed ?? 0));
        stored.set(name, { dataType: "float32", shape, load });
      }
    }
    const buffers = [...architecture.encoder.buffers?.() ?? []].map(([name, value]) =>
      [`encoder.${name}`, value] as const
    );
    const beside = leftOver?.() ?? { unusedTensors: [], namePrefixes: [] };
    return new ModelParameters(stored, declared, fresh.sort(), beside, new Map(buffers));
  }

  /** What is known of each parameter, without an adapter's. */
  get parameters(): StoredWeights {
    return this.#stored;
  }

  /** What a backend reads: the parameters, and those of an adapter. */
  get source(): StoredWeights {
    return this.#source;
  }

  /** Whether a program may read a parameter. */
  isUsed(name: string): boolean {
    return this.declared.get(name)?.used ?? this.#source.has(name);
  }

  /** Add an adapter's values, by names that no parameter has. */
  add(values: ReadonlyMap<string, Tensor>): void {
    for (const [name, value] of values) this.#source.set(name, weightFromTensor(value));
  }

  /** Forget an adapter's values. */
  remove(names: Iterable<string>): void {
    for (const name of names) {
      this.#source.delete(name);
      this.trained.delete(name);
    }
  }

  #put(name: string, weight: StoredWeight): void {
    if (this.#stored.has(name)) this.#stored.set(name, weight);
    this.#source.set(name, weight);
  }

  /** Read one as it was stored or last set. @throws {ShapeError} If there is none of that name. */
  read(name: string): Promise<Tensor> {
    return this.#find(name).load();
  }

  /** Change how each is read. */
  watch(watched: (name: string, stored: StoredWeight) => StoredWeight): void {
    for (const [name, stored] of this.#source) this.#put(name, watched(name, stored));
  }

  /**
   * Replace one.
   *
   * @returns The value as programs take it, in float32.
   * @throws {ShapeError} If there is none of that name, or of another shape, or the value is not of floats.
   */
  set(name: string, tensor: Tensor): Tensor {
    const { shape } = this.#find(name);
    if (!sameShape(tensor.shape, shape)) throw otherShape(name, tensor.shape, shape, { what: "the new value" });
    if (!isFloat(tensor.dataType)) {
      throw new ShapeError(
        `Cannot set "${name}": the new value is ${tensor.dataType}, expected floating-point numbers`,
      );
    }
    const { dataType } = tensor;
    const copy = new Tensor(dataType, shape, tensor.data.slice());
    this.#put(name, weightFromTensor(copy));
    this.trained.delete(name);
    return dataType === "float32" ? copy : new Tensor("float32", shape, toFloat32(dataType, copy.data));
  }

  /** Take values from where they were just saved, since what they were read from is gone. */
  adopt(find: (name: string) => StoredWeight | undefined): void {
    for (const name of this.#stored.keys()) {
      const found = find(name);
      if (found && !this.trained.has(name)) this.#put(name, found);
    }
  }

  /** The widest of the parameters' types, which holds them all without loss. */
  get dataType(): DataType {
    const types = new Set(
      [...this.#stored].map(([name, { dataType }]) => this.trained.has(name) ? "float32" : dataType),
    );
    if (types.size === 1) return [...types][0];
    return types.has("float64") ? "float64" : "float32";
  }

  /** How few bits they are held in: those of the layers, of which q4 has some with 4. */
  get storage(): WeightStorage {
    const bits = [...this.#stored.values()].flatMap(({ blocks }) => blocks?.bits ?? []);
    return bits.includes(4) ? "q4" : bits.includes(8) ? "q8" : "float32";
  }

  #find(name: string): StoredWeight {
    const found = this.#source.get(name);
    if (!found) throw new ShapeError(`Cannot find the parameter "${name}": the model has none of that name`);
    return found;
  }
}

/** Ask for the parameters' memory, before any is taken. */
function checkNumbers({ limits, sizes }: Architecture, declared: ReadonlyMap<string, DeclaredParameter>): void {
  let [numbers, most, largest] = [0, 0, ""];
  for (const [name, { shape }] of declared) {
    const own = sizeOf(shape);
    numbers += own;
    if (own > most) [most, largest] = [own, name];
  }
  const section = largest.split(".")[0];
  const because = [...sizes].filter(([key]) => key.startsWith(section))
    .map(([key, size]) => `${key} is ${[size].flat().join(" × ")}`).join(", ");
  demand(limits, "maxParameters", numbers, { task: "Cannot make the model's parameters", because });
}

function sameShape(found: readonly number[], expected: readonly number[]): boolean {
  return found.join() === expected.join();
}

function otherShape(
  name: string,
  found: readonly number[],
  expected: readonly number[],
  { what = "the weights", architecture }: { what?: string; architecture?: Architecture },
): ShapeError {
  const why = architecture ? ` (${sizesBehind(architecture, name, found, expected)})` : "";
  return new ShapeError(
    `Cannot take "${name}": it is ${formatShape(found)} in ${what}, but the configuration makes it ${
      formatShape(expected)
    }${why}`,
    { label: name, shapes: [found, expected] },
  );
}

/** The numbers of the configuration that a wrong shape follows from: those that stand in it, else all of the section. */
function sizesBehind(
  { sizes }: Architecture,
  name: string,
  found: readonly number[],
  expected: readonly number[],
): string {
  const wrong = new Set(expected.filter((length, axis) => length !== found[axis]));
  const section = `${name.split(".")[0]}.`;
  const own = [...sizes].filter(([key]) => key.startsWith(section) || !name.includes("."));
  const behind = own.filter(([, size]) => [size].flat().some((one) => wrong.has(one)));
  return (behind.length > 0 ? behind : own).map(([key, size]) => `${key} is ${[size].flat().join(" × ")}`).join(", ");
}
