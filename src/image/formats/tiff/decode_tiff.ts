// TIFF pixels, by libtiff in ImageMagick's WebAssembly. For fax, JPEG and YCbCr its pixels are used; for all else only the
// bytes that it decompresses, which _samples.ts interprets.
import { loadMagick, loadMagickModule } from "../../../packages/imagemagick_magick_wasm.ts";
import { RawImage } from "../../raw_image.ts";
import { cmykToRgb } from "../_cmyk_to_rgb.ts";
import { type DecoderInstance, onInstances } from "../_wasm_decoder.ts";
import type { Decoder, ImageHeader } from "../headers/image_header.ts";
import { compressions } from "./_tiff_codes.ts";
import { pictureOf } from "./_samples.ts";
import { tiffOfPlaneBytes, tiffWithPageFirst } from "./_rewritten_tiff.ts";
import type { TiffPage } from "./tiff_page.ts";

type Magick = Awaited<ReturnType<typeof loadMagick>>;

/** The object in which ImageMagick's JavaScript keeps its one instance; if that is undefined, it starts another. */
interface InstanceHolder {
  _api: { readonly HEAPU8: Uint8Array<ArrayBuffer> } | undefined;
}

/** Compressions whose pixels are the library's: those that compress pictures, not bytes. */
const pictures: readonly number[] = [...compressions.fax, ...compressions.jpeg];

/** Load the decoder; it returns grey or RGB, with or without alpha. */
export async function load(): Promise<Decoder> {
  const [magick, module] = await Promise.all([loadMagick(), loadMagickModule()]);
  return onInstances(() => start(magick, module));
}

async function start(magick: Magick, module: WebAssembly.Module): Promise<DecoderInstance> {
  const holder = magick.ImageMagick as unknown as InstanceHolder;
  holder._api = undefined;
  await magick.initializeImageMagick(module);
  const own = holder._api!;
  const read = (file: Uint8Array, channels: string): Uint8Array => {
    holder._api = own;
    return magick.ImageMagick.read(file, magick.MagickFormat.Tiff, (image) => {
      const { width, height } = image;
      const pixels = image.getPixels((all) => all.toByteArray(0, 0, width, height, channels));
      return pixels ?? new Uint8Array();
    });
  };
  return {
    memory: {
      get buffer() {
        return own.HEAPU8.buffer;
      },
    },
    decode: (bytes, header) => {
      const page = header.tiff!;
      if (pictures.includes(page.compression) || page.photometric === "ycbcr") {
        return decodePicture(read, bytes, header, page);
      }
      const planes = Array.from(
        { length: page.planes ? page.samples : 1 },
        (_, plane) => read(tiffOfPlaneBytes(bytes, header, page, plane), "R"),
      );
      return pictureOf(planes, header, page);
    },
  };
}

function decodePicture(
  read: (file: Uint8Array, channels: string) => Uint8Array,
  bytes: Uint8Array,
  { color, width, height }: ImageHeader,
  page: TiffPage,
): RawImage {
  const pixels = read(tiffWithPageFirst(bytes, page), color === "grey" ? "R" : color === "cmyk" ? "CMYK" : "RGB");
  if (color === "grey") return new RawImage(pixels, width, height, 1);
  return new RawImage(color === "cmyk" ? cmykToRgb(pixels) : pixels, width, height, 3);
}
