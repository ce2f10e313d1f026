// How much a stranger's files and a careless call may ask for. Think of it as a budget that is asked before work begins:
// whoever is about to take memory or time in proportion to a number that somebody wrote down asks `demand` first, and the
// refusal says the number, where it stands, and the limit that lets it pass. What cannot be foreseen has a limit of time.
import { LimitError, OptionError } from "../errors/mod.ts";

/** The most that may be asked for. No published model comes near to any of these; the largest are said beside them. */
export interface Limits {
  /** Layers of an encoder or of a decoder; published: 48. @default 1000 */
  readonly maxLayers: number;
  /** Numbers in a model's parameters; published: 0.7 thousand million (TrOCR large 0.56). @default 20e9 */
  readonly maxParameters: number;
  /** Pixels of one picture, as it comes in and at each step of its processor; published: 4.9 million. @default 64e6 */
  readonly maxPixels: number;
  /**
   * Pixels of one picture as it goes to the model, where each takes 12 bytes; published: 4.9 million (Donut's
   * 2560 × 1920). @default 16e6
   */
  readonly maxInputPixels: number;
  /** Beams of a picture, each of which goes on in twice as many ways; published: 10. @default 256 */
  readonly maxBeams: number;
  /** Rows of one generation, pictures times beams; published: 10 beams. @default 4096 */
  readonly maxRows: number;
  /** Bytes of the buffers of one generation; published: 0.4 GB (Nougat's 4096 tokens). @default 16 GiB */
  readonly maxGenerationBytes: number;
  /** Tokens of a vocabulary, or its merges, or added tokens; published: 0.25 million (mBART). @default 4e6 */
  readonly maxTokens: number;
  /** Milliseconds of the processor that a tokenizer's patterns may take on one text, or an adapter's on a model; published: below 10. @default 1000 */
  readonly patternMilliseconds: number;
}

/** What holds where nothing else is said. */
export const defaultLimits: Limits = {
  maxLayers: 1000,
  maxParameters: 20e9,
  maxPixels: 64e6,
  maxInputPixels: 16e6,
  maxBeams: 256,
  maxRows: 4096,
  maxGenerationBytes: 16 * 2 ** 30,
  maxTokens: 4e6,
  patternMilliseconds: 1000,
};

/** What is counted, for messages. */
const units: Readonly<Record<keyof Limits, string>> = {
  maxLayers: "layers",
  maxParameters: "numbers",
  maxPixels: "pixels",
  maxInputPixels: "pixels",
  maxBeams: "beams",
  maxRows: "rows",
  maxGenerationBytes: "bytes",
  maxTokens: "entries",
  patternMilliseconds: "milliseconds",
};

/**
 * Complete limits.
 *
 * @param given Those that differ from the defaults.
 * @throws {OptionError} If there is no such limit, or it is no positive number.
 */
export function resolveLimits(given: Partial<Limits> = {}): Limits {
  const known = Object.keys(defaultLimits);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!known.includes(name)) {
      throw new OptionError(`Cannot set the limit "${name}": it does not exist; the limits are ${known.join(", ")}`);
    }
    if (!(typeof value === "number" && value > 0)) {
      throw new OptionError(`Cannot set the limit ${name} to ${value}: expected a positive number`);
    }
  }
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { ...defaultLimits, ...set };
}

/** What asks for something. */
export interface Demand {
  /** What cannot be done, such as `Cannot build the decoder`. */
  readonly task: string;
  /** What asks for it and with which value, such as `decoder_layers is 100000`. */
  readonly because: string;
  /** The key or option that has the value. */
  readonly key?: string;
}

/**
 * Ask whether so much may be taken.
 *
 * @param amount What would be taken, in the limit's unit; NaN is too much.
 * @throws {LimitError} If it is more than the limit.
 */
export function demand<Name extends keyof Limits>(
  limits: Pick<Limits, Name>,
  limit: Name,
  amount: number,
  { task, because, key }: Demand,
): void {
  const most = limits[limit];
  if (amount <= most) return;
  throw new LimitError(
    `${task}: ${because}${
      amount > 0 && !because.includes(String(amount)) ? `, ${amount} ${units[limit]}` : ""
    }, and at ` +
      `most ${most} ${units[limit]} are taken (limits.${limit})`,
    { limit, amount, most, key },
  );
}
