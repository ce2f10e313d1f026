// Tokens in, text out as soon as no later token can change it: a character whose bytes come in several tokens waits for
// the last of them, a word for its end if that is wanted.
import type { Streamer } from "../generation/mod.ts";
import type { Tokenizer } from "../tokenizer/mod.ts";

/** How text is cut into pieces. */
export interface TextStreamerOptions {
  /** Whether a piece ends where a word does. @default false */
  readonly wholeWords?: boolean;
  /** Tokens that the text begins with, as a prompt does. @default none */
  readonly prompt?: readonly number[];
  /** Whether special tokens are left out. @default true */
  readonly skipSpecialTokens?: boolean;
}

/** An unfinished character, and the apostrophe that a tokenizer may yet join to the words on both of its sides. */
const unsettled = /(?:\uFFFD+| ')$/;

/**
 * The same where decoding cleans up: with a space that it may yet take out, what it may join to the word before (n't, 've), and
 * apostrophes, which may get back the space that was taken out: " ' " is cleaned up otherwise than " ' ,".
 */
const unsettledByCleanUp = /(?:\uFFFD+|'+| (?:n? ?'*|'[vr]))$/;

/** A character of a script that writes no space between words. */
export const spaceless =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** All words but the last: they end before a space, or, in scripts that write none between words, anywhere. */
const words = new RegExp(String.raw`^[^]*(?:(?<!\s)(?=\s)|${spaceless.source})`, "u");

/** Tokens that are decoded again with each new one, so that its text is that of its place; twice as many at most. */
const context = 32;

/**
 * Writes the text of one picture while `generate` decides it; give it as `streamer`. What it writes, joined, is the text.
 *
 * @example
 * ```ts
 * import { Captioner, readImage, TextStreamer } from "@limner/limner";
 * import { assertEquals } from "@std/assert";
 *
 * await using captioner = await Captioner.load(undefined, { backend: "reference" });
 * const line = await readImage("assets/examples/line.png");
 * const pieces: string[] = [];
 * const streamer = new TextStreamer(captioner.tokenizer, (piece) => void pieces.push(piece), { wholeWords: true });
 * await captioner.model.generate(captioner.processor(line).pixelValues, { streamer });
 * assertEquals(pieces, ["ninth", " century", " Zen", " master"]);
 * ```
 */
export class TextStreamer implements Streamer {
  readonly #tokenizer: Pick<Tokenizer, "decode">;
  readonly #unsettled: RegExp;
  readonly #write: (piece: string) => void | Promise<void>;
  readonly #wholeWords: boolean;
  readonly #skipSpecialTokens: boolean;
  /** The last tokens, and how much of their text was written. */
  #ids: number[];
  #written = 0;

  /**
   * Make a streamer that hands over text as it is decided.
   *
   * @param tokenizer Decodes the tokens.
   * @param write Takes a piece of text; the generation waits for a promise.
   */
  constructor(
    tokenizer: Pick<Tokenizer, "decode" | "cleansUpSpaces">,
    write: (piece: string) => void | Promise<void>,
    options: TextStreamerOptions = {},
  ) {
    this.#tokenizer = tokenizer;
    this.#unsettled = tokenizer.cleansUpSpaces ? unsettledByCleanUp : unsettled;
    this.#write = write;
    this.#wholeWords = options.wholeWords ?? false;
    this.#skipSpecialTokens = options.skipSpecialTokens ?? true;
    this.#ids = [...options.prompt ?? []];
  }

  /** Take the next tokens of the one row there is. */
  put([tokens]: readonly (readonly number[])[]): void | Promise<void> {
    if (tokens.length === 0) return;
    this.#ids.push(...tokens);
    const text = this.#decode();
    const settled = text.replace(this.#unsettled, "");
    const end = this.#wholeWords ? words.exec(settled)?.[0].length ?? 0 : settled.length;
    const piece = text.slice(this.#written, end);
    this.#written = Math.max(this.#written, end);
    this.#forget(text.slice(this.#written));
    if (piece !== "") return this.#write(piece);
  }

  /** Write what was held back. */
  end(): void | Promise<void> {
    const piece = this.#decode().slice(this.#written);
    this.#written += piece.length;
    if (piece !== "") return this.#write(piece);
  }

  /** Keep only the last tokens, where the text that waits to be written is theirs. */
  #forget(held: string): void {
    if (this.#ids.length < 2 * context) return;
    const ids = this.#ids.slice(-context);
    const text = this.#decode(ids);
    if (!text.endsWith(held)) return;
    this.#ids = ids;
    this.#written = text.length - held.length;
  }

  #decode(ids: number[] = this.#ids): string {
    return this.#tokenizer.decode(ids, { skipSpecialTokens: this.#skipSpecialTokens });
  }
}
