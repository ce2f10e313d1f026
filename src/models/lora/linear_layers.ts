// The fully connected layers of a model, which an adapter may adapt: by their paths in files and by those that modules have in
// Transformers' memory, which are the names of PEFT's files.
import { GraphBuilder } from "../../graph/mod.ts";
import type { VisionEncoderDecoderConfig } from "../config/vision_encoder_decoder_config.ts";
import { buildForward } from "../forward_program.ts";
import { renamed, spellingsOf } from "../parameters/stored_names.ts";
import { decoders, encoders } from "../registry.ts";
import { Scope, type WrittenLinear } from "../scope.ts";
import type { Architecture } from "../vision_encoder_decoder.ts";

/** A fully connected layer. */
export interface LinearLayer extends WrittenLinear {
  /** Its path in memory; several where it is several modules there, which files hold joined. */
  readonly modules: readonly string[];
  /** The paths by which it is one module, of whatever writer: in memory first. */
  readonly spellings: readonly string[];
  /** Whether a program reads it. */
  readonly isRead: boolean;
  /** Whether it is the head that predicts tokens. */
  readonly isHead: boolean;
  /** The parameter that its weight is tied to, if it is. */
  readonly tiedTo?: string;
}

/** What renames parameters renames the weight of a layer; this is the layer's path in it. */
const withoutWeight = (name: string) => name.replace(/\.weight$/, "");

/** The paths of a layer, or of anything that has a weight. */
export function pathsOf(
  path: string,
  config: VisionEncoderDecoderConfig,
): { readonly modules: readonly string[]; readonly spellings: readonly string[] } {
  const section = /^(encoder|decoder)\./.exec(path)?.[1] as "encoder" | "decoder" | undefined;
  if (section === undefined) return { modules: [path], spellings: [path] };
  const family = (section === "encoder" ? encoders : decoders)[config[section].model_type];
  const name = `${path.slice(section.length + 1)}.weight`;
  const whole = (name: string) => `${section}.${withoutWeight(name)}`;
  const modules = renamed(name, family.inMemory ?? []).map(whole);
  const others = [...spellingsOf(name, family)].filter((way) => way.length === 1).map(([one]) => whole(one));
  return { modules, spellings: [...new Set([...(modules.length === 1 ? modules : []), ...others])] };
}

/**
 * List the fully connected layers of a model, those too that no program reads, such as a pooler's.
 *
 * @returns The layers in the order that a program has them.
 */
export function linearLayers(config: VisionEncoderDecoderConfig, architecture: Architecture): LinearLayer[] {
  const read = new Map<string, WrittenLinear>();
  const context = {
    ...architecture,
    adapter: undefined,
    onLinear: (layer: WrittenLinear) => void read.set(layer.path, layer),
  };
  buildForward(context, { size: architecture.encoder.imageSize });
  const heads = Object.keys(architecture.decoder.ties).map((name) => `decoder.${withoutWeight(name)}`);
  return [...read.values(), ...unreadLayers(architecture)].map((layer) => ({
    ...layer,
    ...pathsOf(layer.path, config),
    isRead: read.has(layer.path),
    isHead: heads.includes(layer.path),
    tiedTo: architecture.ties.get(`${layer.path}.weight`),
  }));
}

/** The layers that files have and no program reads. */
function unreadLayers(architecture: Architecture): WrittenLinear[] {
  const builder = new GraphBuilder("unread");
  architecture.encoder.declareUnused?.(new Scope(builder, "encoder", architecture));
  return [...builder.build().parameters].flatMap(([name, { shape }]) => {
    if (shape.length !== 2 || !name.endsWith(".weight")) return [];
    const [outputs, inputs] = shape as number[];
    return [{ path: withoutWeight(name), inputs, outputs, transposed: false }];
  });
}

/** The paths in memory of everything else that has a weight, such as embeddings. @param names The model's parameters. */
export function otherModules(
  config: VisionEncoderDecoderConfig,
  names: Iterable<string>,
  layers: readonly LinearLayer[],
): string[] {
  const linear = new Set(layers.map(({ path }) => path));
  const paths = [...names].filter((name) => name.endsWith(".weight")).map(withoutWeight);
  return paths.filter((path) => !linear.has(path)).flatMap((path) => pathsOf(path, config).modules);
}
