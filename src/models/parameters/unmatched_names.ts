// Why no parameter of a part of the model is in its checkpoint: the file's own names tell.
import type { Checkpoint } from "../../checkpoint/mod.ts";
import { FormatError } from "../../errors/mod.ts";
import { decoders, encoders } from "../registry.ts";
import type { VisionEncoderDecoderConfig } from "../config/vision_encoder_decoder_config.ts";

/** The beginning that most often turns a name of the model into one of the file; empty where none does. */
function commonPrefix(names: readonly string[], wanted: ReadonlySet<string>): string {
  const counts = new Map<string, number>();
  for (const name of names) {
    for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
      if (!wanted.has(name.slice(dot + 1))) continue;
      const prefix = name.slice(0, dot + 1);
      counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
    }
  }
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? "";
}

/**
 * Check that a checkpoint has parameters of both parts of a model.
 *
 * @param wanted The names of the model.
 * @param has Whether the checkpoint has a parameter, however it spells it.
 * @throws {FormatError} If it has none of a part; the message says what it has instead.
 */
export function checkMatched(
  config: VisionEncoderDecoderConfig,
  checkpoint: Checkpoint,
  wanted: readonly string[],
  has: (name: string) => boolean,
): void {
  const names = checkpoint.names();
  const fail = (reason: string): never => {
    throw new FormatError(`Cannot load the weights of ${checkpoint.name}: ${reason}`, { file: checkpoint.name });
  };
  if (names.some((name) => /\.lora_(?:[AB]|embedding_[AB])\./.test(name))) {
    fail("they are a LoRA adapter's beside the model's: save what merge_and_unload() gives");
  }
  for (const part of ["encoder", "decoder"] as const) {
    const own = wanted.filter((name) => name.startsWith(`${part}.`));
    if (own.some(has)) continue;
    const such = `expected names such as ${own[0]}`;
    const prefix = commonPrefix(names, new Set(own));
    if (prefix) fail(`their names stand behind "${prefix}", which is not known; take it off, ${such}`);
    const found = names.filter((name) => name.startsWith(`${part}.`));
    if (found.length === 0) fail(`none is of the ${part}: of ${names.length} the first is ${names[0]}, ${such}`);
    const families = Object.entries(part === "encoder" ? encoders : decoders)
      .filter(([, { basePrefix }]) =>
        part === "decoder" && found.some((name) => name.startsWith(`${part}.${basePrefix}.`))
      )
      .map(([type]) => type);
    const kind = families.length ? ` of ${families.join(" or ")}` : "";
    fail(
      `config.json's ${part} is ${config[part].model_type}, but the file's has names${kind} such as ${
        found[0]
      }, ${such}`,
    );
  }
}
