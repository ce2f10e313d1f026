// GPT-2's spelling of bytes: each of the 256 bytes is a printable character, so that a vocabulary of 256 characters covers
// every text.

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const characters = spelledBytes();
const bytes = new Map(characters.map((character, byte) => [character, byte]));

/** The printable characters of Latin-1 stand for themselves, and those from 256 on for the other bytes (`bytes_to_unicode`). */
function spelledBytes(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const own = String.fromCharCode(byte);
    return /[!-~\xa1-\xac\xae-\xff]/.test(own) ? own : String.fromCharCode(next++);
  });
}

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
