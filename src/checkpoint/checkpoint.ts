// The weights of a repository, read lazily: opening reads headers only, and each tensor is read when it is asked for.
import { FormatError, HubError } from "../errors/mod.ts";
import type { ByteSource } from "../hub/byte_source.ts";
import { whyMissing } from "../hub/network/absent_files.ts";
import type { Repository } from "../hub/repository.ts";
import type { Tensor } from "../tensor/mod.ts";
import { maxIndexBytes } from "./limits.ts";
import { parameterName } from "./parameter_names.ts";
import { openWeightFile } from "./open_weight_file.ts";
import type { StoredWeight, StoredWeights } from "../weights/mod.ts";
import { TensorTable } from "./tensor_table.ts";

/** The files in which weights are looked for, in this order; a name that ends in `.json` is the index of shards. */
const weightFiles = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
] as const;

/** The files of weights that were saved as a variant only, such as `model.fp16.safetensors`. */
const variantFiles = ["fp16", "bf16", "fp32"].flatMap((variant) =>
  weightFiles.map((file) => file.replace(/\.(?=(?:safetensors|bin|json)$)/, `.${variant}.`))
);

/** The weights of a model: a table of parameters, and a way to read each. */
export class Checkpoint implements AsyncDisposable {
  #table: TensorTable;
  readonly #fileNames: ReadonlyMap<string, string>;
  #closed = false;

  /**
   * Make a checkpoint from a table.
   *
   * @param name What messages call it.
   * @param table The tensors by parameter name.
   * @param fileNames The names in the file of those parameters that have another name there.
   * @param files The repository's files that hold the tensors.
   */
  constructor(
    readonly name: string,
    table: TensorTable,
    fileNames: ReadonlyMap<string, string> = new Map(),
    readonly files: readonly string[] = [],
  ) {
    this.#table = table;
    this.#fileNames = fileNames;
  }

  /** Each parameter's type and shape, which are known without reading it. */
  get parameters(): StoredWeights {
    return this.#table;
  }

  /** The names of all parameters, also of those whose type cannot be read. */
  names(): string[] {
    return [...this.#table.keys(), ...this.#table.unreadable.keys()];
  }

  /** Whether there is a parameter of a name, of whatever type. */
  has(name: string): boolean {
    return this.#table.has(name) || this.#table.unreadable.has(name);
  }

  /** The name of a parameter in the file. */
  fileName(name: string): string {
    return this.#fileNames.get(name) ?? name;
  }

  /**
   * Look for a parameter that is needed.
   *
   * @param name The parameter's name.
   * @returns The parameter, or undefined if there is none of that name.
   * @throws {FormatError} If it is of a type that cannot be read, such as 8-bit floating-point numbers.
   */
  find(name: string): StoredWeight | undefined {
    const unreadable = this.#table.unreadable.get(name);
    if (unreadable) throw unreadable;
    return this.#table.get(name);
  }

  /**
   * Read a parameter in its own data type.
   *
   * @param name The parameter's name.
   * @returns A tensor that the caller owns.
   * @throws {FormatError} If there is no such parameter, or its bytes are damaged.
   * @throws {HubError} If the file changed since it was opened.
   */
  async read(name: string): Promise<Tensor> {
    const stored = this.find(name);
    if (!stored) {
      const reason = this.#closed ? "the checkpoint is closed" : "the checkpoint has no such tensor";
      throw new FormatError(`Cannot read the parameter ${JSON.stringify(name)}: ${reason}`, { tensor: name });
    }
    return await stored.load();
  }

  /** The same parameters, each replaced by what `replace` returns; one that has several names is replaced once. */
  replaced(replace: (stored: StoredWeight) => StoredWeight): Checkpoint {
    const table = new TensorTable();
    const known = new Map<StoredWeight, StoredWeight>();
    for (const [name, stored] of this.#table) {
      const other = known.get(stored) ?? replace(stored);
      known.set(stored, other);
      table.set(name, other);
    }
    return this.withTable(table);
  }

  /** The same checkpoint with another table, of which what cannot be read stays. */
  withTable(table: TensorTable): Checkpoint {
    for (const [name, unreadable] of this.#table.unreadable) table.unreadable.set(name, unreadable);
    return new Checkpoint(this.name, table, this.#fileNames, this.files);
  }

  /** Release the table; no file is held open between reads. */
  close(): void {
    this.#table = new TensorTable();
    this.#closed = true;
  }

  /** Close the checkpoint. */
  // deno-lint-ignore require-await
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}

/**
 * Open the weights of a repository: `model.safetensors`, `pytorch_model.bin` (zip or legacy), or either in shards.
 *
 * @param repository The folder of the model.
 * @returns The checkpoint, with parameters under the names models know (`LayerNorm.gamma` is `LayerNorm.weight`).
 * @throws {HubError} If the repository has none of these files.
 * @throws {FormatError} If a file is malformed.
 */
export async function openCheckpoint(repository: Repository): Promise<Checkpoint> {
  const { table: stored, files } = await openWeightFiles(repository);
  const table = new TensorTable();
  const fileNames = new Map<string, string>();
  const nameOf = (name: string): string => {
    const known = parameterName(name);
    if (table.has(known) || table.unreadable.has(known)) {
      throw new FormatError(`Cannot read the weights of ${repository.name}: two tensors are called ${known}`, {
        file: repository.name,
        tensor: known,
      });
    }
    if (known !== name) fileNames.set(known, name);
    return known;
  };
  for (const [name, unreadable] of stored.unreadable) table.unreadable.set(nameOf(name), unreadable);
  for (const [name, tensor] of stored) table.set(nameOf(name), tensor);
  return new Checkpoint(repository.name, table, fileNames, files);
}

/** Tensors, and the files that they lie in. */
interface OpenedFiles {
  readonly table: TensorTable;
  readonly files: readonly string[];
}

/** The tensors of a repository under the names of its files. */
export async function openWeightFiles(repository: Repository): Promise<OpenedFiles> {
  for (const file of [...weightFiles, ...variantFiles]) {
    const source = await repository.open(file);
    if (!source) continue;
    if (file.endsWith(".json")) return await openShards(repository, source);
    return { table: await openWeightFile(source), files: [file] };
  }
  const { whyNoWeights } = await import("./missing_weights.ts");
  const found = await whyNoWeights(repository);
  const none = `it has none of ${weightFiles.join(", ")}${whyMissing(repository, weightFiles)}`;
  throw new HubError(`Cannot find the weights of ${repository.name}: ${found ?? none}`);
}

/** The tensors of all shards that an index names. */
export async function openShards(repository: Repository, index: ByteSource): Promise<OpenedFiles> {
  if (index.size > maxIndexBytes) {
    throw new FormatError(
      `Cannot read ${index.name}: it has ${index.size} bytes, at most ${maxIndexBytes} are allowed`,
      {
        file: index.name,
      },
    );
  }
  const text = new TextDecoder().decode(await index.read(0, index.size));
  const { parseShardIndex } = await import("./shard_index.ts");
  const shardOf = parseShardIndex(text, index.name);
  const table = new TensorTable();
  const files = [...new Set(shardOf.values())];
  for (const shard of files) {
    const source = await repository.open(shard);
    if (!source) {
      throw new FormatError(`Cannot read ${index.name}: it names the file ${shard}, which is not there`, {
        file: index.name,
        key: shard,
      });
    }
    const tensors = await openWeightFile(source);
    for (const name of [...tensors.keys(), ...tensors.unreadable.keys()]) {
      if ((shardOf.get(name) ?? shard) !== shard) continue;
      if (table.has(name) || table.unreadable.has(name)) {
        throw new FormatError(`Cannot read ${source.name}: another shard has a tensor ${JSON.stringify(name)} too`, {
          file: source.name,
          tensor: name,
        });
      }
      const unreadable = tensors.unreadable.get(name);
      if (unreadable) table.unreadable.set(name, unreadable);
      else table.set(name, tensors.get(name)!);
    }
  }
  for (const [name, shard] of shardOf) {
    if (table.has(name) || table.unreadable.has(name)) continue;
    throw new FormatError(`Cannot read ${index.name}: ${shard} lacks the tensor ${JSON.stringify(name)}`, {
      file: index.name,
      tensor: name,
    });
  }
  return { table, files };
}
