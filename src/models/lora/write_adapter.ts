// An adapter as PEFT's two files.
import { writeTensors } from "../../checkpoint/write_safetensors.ts";
import { OptionError } from "../../errors/mod.ts";
import { makeFolder } from "../../hub/make_folder.ts";
import { checkNames, lockFolder, PendingFile, removeStaleFiles, syncFolder } from "../../hub/atomic_file.ts";
import { formatJson } from "../../hub/write_json.ts";
import type { DataType, Tensor } from "../../tensor/mod.ts";
import { adapterFiles } from "./adapter_file.ts";
import type { LinearLayer } from "./linear_layers.ts";
import { type LoraAdapter, loraNames } from "./lora_adapter.ts";
import { peftConfigOf } from "./peft_config.ts";

/** What is written. */
export interface WritableAdapter {
  readonly adapter: LoraAdapter;
  /** The layers of its model. */
  readonly layers: readonly LinearLayer[];
  /** The paths in memory of everything in the model that has a weight and is no fully connected layer. */
  readonly otherModules: readonly string[];
  /** The type of A and B. */
  readonly typeOf: (name: string) => DataType;
  /** Reads A or B, by the names of `loraNames`. */
  readonly read: (name: string) => Promise<Tensor>;
}

/**
 * Write an adapter. Both files appear whole or not at all, one right after the other.
 *
 * @param folder The folder, made if it is missing.
 * @throws {WriteError} If they cannot be written.
 */
export async function writeAdapter(folder: string | URL, written: WritableAdapter): Promise<void> {
  const { adapter, layers } = written;
  const adapted = layers.filter(({ path }) => adapter.layers.has(path));
  const config = `${formatJson(configOf(adapted, written))}\n`;
  const tensors = new Map<string, { own: string; dataType: DataType; shape: readonly number[] }>();
  for (const layer of adapted) {
    const { rank } = adapter.layers.get(layer.path)!;
    const { a, b } = loraNames(layer.path);
    const prefix = `base_model.model.${layer.modules[0]}`;
    tensors.set(`${prefix}.lora_A.weight`, { own: a, dataType: written.typeOf(a), shape: [rank, layer.inputs] });
    tensors.set(`${prefix}.lora_B.weight`, { own: b, dataType: written.typeOf(b), shape: [layer.outputs, rank] });
  }
  const path = await makeFolder(folder);
  await removeStaleFiles(path);
  using stack = new DisposableStack();
  const weights = stack.use(await PendingFile.create(path, adapterFiles.weights));
  const source = { parameters: tensors, read: (name: string) => written.read(tensors.get(name)!.own) };
  await writeTensors(weights, `${path}/${adapterFiles.weights}`, source, {});
  await weights.flush();
  const settings = stack.use(await PendingFile.of(path, adapterFiles.config, config));
  stack.use(await lockFolder(path));
  await checkNames(path, [adapterFiles.config, adapterFiles.weights]);
  await settings.appear();
  await weights.appear();
  await syncFolder(path);
}

/** adapter_config.json of the adapted layers. */
function configOf(adapted: readonly LinearLayer[], written: WritableAdapter): Record<string, unknown> {
  const { adapter } = written;
  for (const { path, modules } of adapted) {
    if (modules.length === 1) continue;
    const parts = modules.join(" and ");
    throw new OptionError(`Cannot save the adapter of "${path}": Transformers has it in parts, as ${parts}`);
  }
  const ranks = adapted.map(({ path }) => adapter.layers.get(path)!.rank);
  const alphas = adapted.map(({ path }) => adapter.layers.get(path)!.alpha);
  const [rank, alpha] = [mostFrequent(ranks), mostFrequent(alphas)];
  /** The modules that have another number than most, by their path. */
  const others = (numbers: readonly number[], usual: number) =>
    Object.fromEntries(
      adapted.flatMap(({ modules: [module] }, i) => numbers[i] === usual ? [] : [[module, numbers[i]]]),
    );
  return peftConfigOf({
    rank,
    alpha,
    dropout: adapter.dropout,
    rankStabilized: adapter.rankStabilized,
    baseModel: adapter.baseModel,
    rankPattern: others(ranks, rank),
    alphaPattern: others(alphas, alpha),
    targets: targetsOf(adapted, written),
    transposed: adapted.some(({ transposed }) => transposed),
  });
}

function mostFrequent(numbers: readonly number[]): number {
  const groups = [...Map.groupBy(numbers, (number) => number).values()];
  return groups.reduce((most, group) => group.length > most.length ? group : most)[0];
}

/** The last name of a path. */
const lastOf = (path: string) => path.slice(path.lastIndexOf(".") + 1);

/** Names for target_modules: the last name of several layers where it is that of no others, else a whole path. */
function targetsOf(adapted: readonly LinearLayer[], { layers, otherModules }: WritableAdapter): string[] {
  const left = layers.filter((layer) => !adapted.includes(layer)).flatMap(({ modules }) => modules);
  const all = [...layers.flatMap(({ modules }) => modules), ...otherModules];
  // What holds a module may have the name too, as a BERT's `decoder` is a head and more.
  const holders = all.flatMap((path) => path.split(".").slice(0, -1));
  const taken = new Set([...holders, ...[...left, ...otherModules].map(lastOf)]);
  const names = adapted.map(({ modules: [module] }) => taken.has(lastOf(module)) ? module : lastOf(module));
  return [...new Set(names)].sort();
}
