// The files of an adapter in PEFT's form: adapter_config.json says how, adapter_model.safetensors holds A and B of each layer
// under `base_model.model.PATH.lora_A.weight`, with the paths that modules have in Transformers' memory.
import { openWeightFile } from "../../checkpoint/open_weight_file.ts";
import { ConfigError, FormatError, HubError, ShapeError } from "../../errors/mod.ts";
import { type Limits, withinTime } from "../../limits/mod.ts";
import { formatShape } from "../../graph/mod.ts";
import { readJson, type Repository } from "../../hub/mod.ts";
import type { Tensor } from "../../tensor/mod.ts";
import type { StoredWeight } from "../../weights/mod.ts";
import type { LinearLayer } from "./linear_layers.ts";
import { type LoraAdapter, type LoraLayer, loraNames } from "./lora_adapter.ts";
import { type PeftConfig, readPeftConfig } from "./peft_config.ts";
import { isTarget, valueFor } from "./target_modules.ts";

/** The names of the two files. */
export const adapterFiles = { config: "adapter_config.json", weights: "adapter_model.safetensors" } as const;

/** The fields of adapter_config.json that hold names and patterns of layers. */
const patternKeys = "target_modules, exclude_modules, layers_pattern, rank_pattern, alpha_pattern";

/** An adapter and the values of its A and B, by the names of `loraNames`. */
export interface LoadedAdapter {
  readonly adapter: LoraAdapter;
  readonly values: ReadonlyMap<string, Tensor>;
}

/** The two tensors of a layer in a file. */
interface FilePair {
  a?: StoredWeight;
  b?: StoredWeight;
}

/**
 * Read an adapter.
 *
 * @param layers The layers of the model it is for.
 * @param limits The time that its patterns may take.
 * @throws {HubError} If the repository has no adapter.
 * @throws {ConfigError} If it is no LoRA, or asks for what is not done here.
 * @throws {FormatError} If it is of another model, or a layer's values are missing.
 * @throws {ShapeError} If values have other shapes than the layers ask for.
 * @throws {LimitError} If its patterns take too long.
 */
export async function readAdapter(
  repository: Repository,
  layers: readonly LinearLayer[],
  limits: Pick<Limits, "patternMilliseconds">,
): Promise<LoadedAdapter> {
  const values = await readJson(repository, adapterFiles.config);
  if (!values) throw new HubError(`Cannot load the adapter of ${repository.name}: it has no ${adapterFiles.config}`);
  const config = readPeftConfig(values, `${repository.name}/${adapterFiles.config}`);
  const source = await repository.open(adapterFiles.weights) ?? await repository.open("adapter_model.bin");
  if (!source) {
    throw new HubError(
      `Cannot load the adapter of ${repository.name}: it has neither ${adapterFiles.weights} nor adapter_model.bin`,
    );
  }
  const table = await openWeightFile(source);
  for (const unreadable of table.unreadable.values()) throw unreadable;
  const file = { name: source.name, pairs: pairsOf(table, layers, source.name) };
  const matching = { task: `Cannot load the adapter ${file.name}`, parts: patternKeys };
  const adapted = withinTime(() => layersOf(config, layers, file), matching, limits);
  const loaded = new Map<string, Tensor>();
  for (const layer of adapted.keys()) {
    const { a, b } = file.pairs.get(layer)!;
    const names = loraNames(layer.path);
    loaded.set(names.a, await a!.load()).set(names.b, await b!.load());
  }
  return {
    adapter: {
      layers: new Map([...adapted].map(([{ path }, layer]) => [path, layer])),
      dropout: config.dropout,
      rankStabilized: config.rankStabilized,
      baseModel: config.baseModel,
    },
    values: loaded,
  };
}

/** The tensors of a file by the layer they adapt. @throws {FormatError} If one is of no layer of the model. */
function pairsOf(
  table: ReadonlyMap<string, StoredWeight>,
  layers: readonly LinearLayer[],
  file: string,
): Map<LinearLayer, FilePair> {
  const known = new Map<string, LinearLayer>();
  for (const layer of layers) for (const name of layer.spellings) if (!known.has(name)) known.set(name, layer);
  const pairs = new Map<LinearLayer, FilePair>();
  for (const [key, stored] of table) {
    const fail = (reason: string): never => {
      throw new FormatError(`Cannot load the adapter ${file}: ${reason}`, { file, tensor: key });
    };
    const [, path, matrix] = /^(?:base_model\.model\.)?(.+)\.lora_([AB])\.weight$/.exec(key) ?? [];
    if (!path) fail(`it holds ${JSON.stringify(key)}, expected names that end in .lora_A.weight or .lora_B.weight`);
    const layer = known.get(path);
    if (!layer) {
      const joined = layers.find(({ modules }) => modules.includes(path));
      if (joined) fail(`it adapts "${path}", which files hold joined with others as "${joined.path}"`);
      fail(`it adapts "${path}", and the model has no such layer; it has such as "${layers[0].modules[0]}"`);
    }
    const pair = pairs.get(layer!) ?? {};
    pairs.set(layer!, pair);
    const at = matrix === "A" ? "a" : "b";
    if (pair[at]) fail(`it holds lora_${matrix} of "${path}" twice`);
    pair[at] = stored;
  }
  return pairs;
}

/** The layers that a configuration adapts, with their ranks. */
function layersOf(
  config: PeftConfig,
  layers: readonly LinearLayer[],
  { name: file, pairs }: { name: string; pairs: ReadonlyMap<LinearLayer, FilePair> },
): Map<LinearLayer, LoraLayer> {
  const adapted = new Map<LinearLayer, LoraLayer>();
  for (const layer of layers) {
    const pair = pairs.get(layer);
    // A file of an earlier version has other paths: what it holds counts.
    const named = layer.modules.filter((module) => isTarget(module, config.rules, layer.isHead));
    if (!pair && named.length === 0) continue;
    const [module] = named.length ? named : layer.spellings.filter((one) => isTarget(one, config.rules, layer.isHead));
    if (!module) {
      const reason = `it holds values for "${layer.modules[0]}", which target_modules does not name`;
      throw new FormatError(`Cannot load the adapter ${file}: ${reason}`, { file });
    }
    for (const [at, matrix] of [["a", "A"], ["b", "B"]] as const) {
      if (pair?.[at]) continue;
      const tensor = `base_model.model.${module}.lora_${matrix}.weight`;
      throw new FormatError(`Cannot load the adapter ${file}: ${tensor} is missing`, { file, tensor });
    }
    const rank = valueFor(module, config.rankPattern, config.rank, "rank_pattern");
    const alpha = valueFor(module, config.alphaPattern, config.alpha, "alpha_pattern");
    checkShapes(layer, module, rank, pair!, file);
    if (!Number.isFinite(Math.fround(alpha / (config.rankStabilized ? Math.sqrt(rank) : rank)))) {
      const reason =
        `the lora_alpha (or alpha_pattern) of "${module}" is ${alpha}, and a number that float32 holds was expected`;
      throw new ConfigError(`Cannot load the adapter ${file}: ${reason}`, "lora_alpha");
    }
    adapted.set(layer, { rank, alpha });
  }
  if (adapted.size > 0) return adapted;
  const targets = JSON.stringify(config.rules.targets).slice(0, 200);
  throw new ConfigError(
    `Cannot load the adapter ${file}: target_modules is ${targets}, and no layer of the model is named so; it has such ` +
      `as "${layers[0].modules[0]}"`,
    "target_modules",
  );
}

function checkShapes(layer: LinearLayer, module: string, rank: number, { a, b }: FilePair, file: string): void {
  const expected = [[a!, "A", [rank, layer.inputs]], [b!, "B", [layer.outputs, rank]]] as const;
  for (const [{ shape }, matrix, wanted] of expected) {
    if (shape.join() === wanted.join()) continue;
    throw new ShapeError(
      `Cannot load the adapter ${file}: lora_${matrix} of "${module}" is ${formatShape(shape)}, expected ` +
        `${
          formatShape(wanted)
        }: rank ${rank} (r, rank_pattern), and a layer of ${layer.inputs} inputs and ${layer.outputs} outputs`,
      { label: module, shapes: [shape, wanted] },
    );
  }
}
