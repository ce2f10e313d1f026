// The text chunks of a PNG (specification, third edition, section 11.3.3), into which programs write EXIF and XMP.
import type { Metadata } from "./orientation.ts";

/** The most bytes of a compressed text that are read, as many as Pillow reads. */
const longest = 1 << 20;

/** The chunks that hold texts. */
const textChunks: readonly string[] = ["tEXt", "zTXt", "iTXt"];

/** A text's chunk. */
export type TextChunk = readonly [kind: string, body: Uint8Array];

/** How many texts with metadata are read, the last ones: a file has one or two. */
const mostTexts = 16;

/** The key of a text that holds EXIF or XMP. */
function metadataKey([kind, body]: TextChunk): string | undefined {
  if (!textChunks.includes(kind) || body[0] !== 0x52 && body[0] !== 0x58) return undefined; // R, X
  const key = latin(body.subarray(0, 80)).split("\0", 1)[0];
  return key === "Raw profile type exif" || key === "XML:com.adobe.xmp" ? key : undefined;
}

/** Whether a chunk is a text that holds EXIF or XMP. */
export function holdsMetadata(chunk: TextChunk): boolean {
  return metadataKey(chunk) !== undefined;
}

/** Read EXIF and XMP in texts; later ones count more. @param texts Those that hold some. */
export async function readTexts(texts: readonly TextChunk[]): Promise<Metadata> {
  let found: Metadata = {};
  for (const text of texts.slice(-mostTexts)) found = { ...found, ...await readText(text) };
  return found;
}

/** @returns The metadata of a text; empty if it is malformed. */
async function readText([kind, body]: TextChunk): Promise<Metadata> {
  const key = metadataKey([kind, body])!;
  const text = await textOf(kind, body.subarray(key.length + 1));
  if (key.startsWith("XML")) return { xmp: text };
  // ImageMagick's: a line break, the profile's name, its length, then its bytes as hexadecimal digits.
  const digits = (text ?? "").split("\n").slice(3).join("").replace(/\s/g, "");
  return /^(?:[0-9a-f]{2})+$/i.test(digits) ? { exif: Uint8Array.fromHex(digits) } : {};
}

/** The text after its key; undefined if its compression is unknown. */
async function textOf(kind: string, body: Uint8Array): Promise<string | undefined> {
  if (kind === "tEXt") return latin(body);
  if (kind === "zTXt") return body[0] === 0 ? await inflate(body.subarray(1)) : undefined;
  // iTXt: whether it is compressed, how, a language and the key in it.
  const language = body.indexOf(0, 2);
  const translated = language < 0 ? -1 : body.indexOf(0, language + 1);
  if (translated < 0) return undefined;
  const text = body.subarray(translated + 1);
  return body[0] === 0 ? latin(text) : body[1] === 0 ? await inflate(text) : undefined;
}

async function inflate(bytes: Uint8Array): Promise<string | undefined> {
  let text = "";
  try {
    for await (
      const chunk of new Blob([new Uint8Array(bytes)]).stream().pipeThrough(new DecompressionStream("deflate"))
    ) {
      text += latin(chunk);
      if (text.length > longest) return undefined;
    }
  } catch {
    return undefined; // a damaged text is ignored, since the picture may be intact
  }
  return text;
}

/** Decode as Latin-1: only ASCII is searched for, so it does not matter how other bytes are read. */
function latin(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

const decoder = new TextDecoder("latin1");
