// An AVIF's size, orientation and boxes (ISO/IEC 14496-12 for boxes, 23008-12 for items, and AOM's AVIF specification).
import { FormatError } from "../../../errors/mod.ts";
import type { ImageHeader } from "./image_header.ts";

/** A box: its type, and where its content begins and ends. */
interface Box {
  readonly kind: string;
  readonly start: number;
  readonly end: number;
}

const alphaMark = "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha";

/** EXIF's orientation for a mirror (none, top to bottom, left to right) after quarter turns to the left. */
const orientations = [[1, 8, 3, 6], [4, 5, 2, 7], [2, 7, 4, 5]];

/**
 * Read an AVIF's header and check that its boxes are all there.
 *
 * @param bytes The whole file, whose signature has been seen.
 * @param name The file's name, for messages.
 * @throws {FormatError} If it has no size, or ends early.
 */
export function readAvifHeader(bytes: Uint8Array, name: string): ImageHeader {
  const fail = (what: string, offset: number): never => {
    throw new FormatError(`Cannot read AVIF ${name}: ${what}`, { file: name, offset });
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const boxesOf = (start: number, end: number) => readBoxes(view, start, end, fail);
  const only = (boxes: readonly Box[], kind: string): Box =>
    boxes.find((box) => box.kind === kind) ?? fail(`it has no box ${kind}`, bytes.length);
  const meta = only(boxesOf(0, bytes.length), "meta");
  const parts = boxesOf(meta.start + 4, meta.end);
  const properties = only(parts, "iprp");
  const described = boxesOf(properties.start, properties.end);
  const stored = boxesOf(only(described, "ipco").start, only(described, "ipco").end);
  let associated: number[];
  try {
    associated = propertiesOf(view, primaryItem(view, only(parts, "pitm")), only(described, "ipma"));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return fail("its list of items is cut short", meta.start);
  }
  const own = associated.flatMap((i) => stored[i - 1] ?? []);
  const size = only(own, "ispe");
  const first = (kind: string): number => bytes[own.find((box) => box.kind === kind)?.start ?? -1] ?? 0;
  const mirror = own.some(({ kind }) => kind === "imir") ? 1 + (first("imir") & 1) : 0;
  // av1C has a flag for monochrome; auxC marks an item as another's alpha.
  const coded = own.find(({ kind }) => kind === "av1C");
  const isAlpha = ({ kind, start, end }: Box) =>
    kind === "auxC" && new TextDecoder("latin1").decode(bytes.subarray(start + 4, end)).startsWith(alphaMark);
  if (size.end - size.start < 12) fail("its size is cut short", size.start);
  return {
    format: "avif",
    width: view.getUint32(size.start + 4),
    height: view.getUint32(size.start + 8),
    bits: 8,
    color: coded && (bytes[coded.start + 2] & 0x10) !== 0 ? "grey" : "rgb",
    alpha: stored.some(isAlpha),
    orientation: orientations[mirror][first("irot") & 3],
  };
}

/** The boxes between two places, none of which goes on beyond them. */
function readBoxes(
  view: DataView,
  start: number,
  end: number,
  fail: (what: string, offset: number) => never,
): Box[] {
  const boxes: Box[] = [];
  for (let at = start; at < end;) {
    if (at + 8 > end) fail(`the file ends after ${view.byteLength} bytes, within a box`, at);
    const kind = String.fromCharCode(...[4, 5, 6, 7].map((i) => view.getUint8(at + i)));
    const short = view.getUint32(at);
    const head = short === 1 ? 16 : 8;
    const size = short === 0 ? end - at : short === 1 && at + 16 <= end ? Number(view.getBigUint64(at + 8)) : short;
    if (size < head || at + size > end) fail(`box ${kind} has ${size} bytes, and ${end - at} are left`, at);
    boxes.push({ kind, start: at + head, end: at + size });
    at += size;
  }
  return boxes;
}

function primaryItem(view: DataView, { start }: Box): number {
  return view.getUint8(start) === 0 ? view.getUint16(start + 4) : view.getUint32(start + 4);
}

/** The numbers of an item's properties, from 1 on. */
function propertiesOf(view: DataView, item: number, { start }: Box): number[] {
  const version = view.getUint8(start), wide = (view.getUint8(start + 3) & 1) !== 0;
  let at = start + 8;
  for (let entries = view.getUint32(start + 4); entries > 0; entries--) {
    const id = version === 0 ? view.getUint16(at) : view.getUint32(at);
    at += version === 0 ? 2 : 4;
    const count = view.getUint8(at++);
    const numbers: number[] = [];
    for (let i = 0; i < count; i++, at += wide ? 2 : 1) {
      numbers.push(wide ? view.getUint16(at) & 0x7fff : view.getUint8(at) & 0x7f);
    }
    if (id === item) return numbers;
  }
  return [];
}
