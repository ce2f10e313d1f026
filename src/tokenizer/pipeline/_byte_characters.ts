// GPT-2's spelling of bytes: each of the 256 bytes is a printable character, so that a vocabulary of 256 characters covers
// every text.
import { ByteLevelPreTokenizer } from "../../packages/huggingface_tokenizers.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const characters: Readonly<Record<number, string>> = new ByteLevelPreTokenizer({ type: "ByteLevel" }).byte_encoder;
const bytes = new Map(Object.entries(characters).map(([byte, character]) => [character, Number(byte)]));

/** Spell a text's bytes as characters. */
export function byteCharacters(text: string): string {
  let result = "";
  for (const byte of encoder.encode(text)) result += characters[byte];
  return result;
}

/** The text of tokens that spell bytes; a token with any other character stands for itself. */
export function textOfBytes(tokens: readonly string[]): string {
  const result: number[] = [];
  for (const token of tokens) {
    const spelled = Array.from(token, (character) => bytes.get(character));
    const known = spelled.every((byte) => byte !== undefined) ? spelled as number[] : encoder.encode(token);
    for (const byte of known) result.push(byte);
  }
  return decoder.decode(Uint8Array.from(result));
}
