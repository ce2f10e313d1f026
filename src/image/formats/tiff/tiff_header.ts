// Reads the header of a TIFF's page: its directory, of which there is one for each page.
import { FormatError } from "../../../errors/mod.ts";
import { orientationOf, orientationTag } from "../headers/orientation.ts";
import type { ImageHeader } from "../headers/image_header.ts";
import { type Directory, TiffFile } from "./directory.ts";
import { readPage } from "./tiff_page.ts";

const xmpTag = 700;

/**
 * Read the directory of a TIFF's page and check that its strips or tiles are all there.
 *
 * @param bytes The whole file, whose signature has been seen.
 * @param name The file's name, for messages.
 * @param number The page, from 1 on.
 * @throws {FormatError} If there is no such page, it is of a kind that is not supported, or the file ends early.
 */
export function readTiffHeader(bytes: Uint8Array, name: string, number: number): ImageHeader {
  const refuse = (what: string): never => {
    throw new FormatError(`Cannot read TIFF ${name}: ${what}`, { file: name });
  };
  const file = TiffFile.open(bytes) ?? refuse(`the file ends after ${bytes.length} bytes, within its header`);
  const directory = findPage(file, number, refuse);
  const { width, height, ...page } = readPage(directory, file, refuse);
  const { photometric, bits, extra } = page;
  const xmp = directory.bytes(xmpTag);
  const color = photometric === "white" || photometric === "black" ? "grey" : photometric;
  return {
    format: "tiff",
    ...{ width, height, bits },
    color: color === "ycbcr" ? "rgb" : color,
    alpha: extra !== "nothing",
    orientation: orientationOf({
      own: directory.values(orientationTag)?.[0],
      xmp: xmp && new TextDecoder().decode(xmp),
    }),
    tiff: page,
  };
}

/** Find the directory of a page; each directory has the offset of the next one. */
function findPage(file: TiffFile, number: number, refuse: (what: string) => never): Directory {
  const seen = new Set<number>();
  for (let at = file.first, page = 1;; page++) {
    if (seen.has(at)) refuse(`its directory ${page} is the same as an earlier one`);
    seen.add(at);
    const directory = file.directory(at);
    if (!directory?.whole) {
      return refuse(`the file ends after ${file.length} bytes, and its directory ${page} is at byte ${at}`);
    }
    if (page === number) return directory;
    if (directory.next === 0) refuse(`page ${number} was asked for, and it has ${page === 1 ? "one" : page}`);
    at = directory.next;
  }
}
