// What a data set is made of, and what is said of those that cannot be used.
import { FormatError } from "../../errors/mod.ts";
import type { ImageSource, RawImage } from "../../image/mod.ts";

/** A picture and the text that the model should write of it. */
export interface ImageTextPair {
  /** A path, an address, the bytes of a file in whatever holds them, or pixels. */
  readonly image: ImageSource | RawImage;
  /** The text to learn. */
  readonly text: string;
}

/** A pair, and what messages call it: its file, with the line that lists it. */
export interface Example extends ImageTextPair {
  readonly name: string;
}

/** An example that cannot be used. */
export interface BrokenExample {
  /** Its file, with the line that lists it, or its place among the pairs. */
  readonly name: string;
  /** What is wrong with it. */
  readonly reason: string;
}

/** The most examples that one message names. */
const mostNamed = 5;

/** The error of examples that cannot be used, by name. @param whole What they are examples of. */
export function brokenError(
  whole: string,
  broken: readonly BrokenExample[],
  { skips }: { readonly skips: boolean },
): FormatError {
  const named = broken.slice(0, mostNamed).map(({ name, reason }) => `${name}: ${reason}`);
  const more = broken.length > mostNamed ? `; and ${broken.length - mostNamed} more` : "";
  const examples = `${broken.length} ${broken.length === 1 ? "example" : "examples"}`;
  const [which, help] = skips
    ? [`${whole}: of its ${examples} none can be used`, ""]
    : [`${examples} of ${whole}`, ' (onBroken: "skip", or --skip-broken, goes on without)'];
  return new FormatError(`Cannot use ${which}: ${named.join("; ")}${more}${help}`, { file: broken[0].name });
}
