// Words as a texture. Think of a texture of vectors of four numbers as a buffer that is cut into rows: vector i is the texel
// (i % 1024, i / 1024). The software adapter reads a buffer lane by lane, with a branch for each number, but a texture in
// vectors: four numbers for 8 lanes take a tenth of the time. Kernels cannot write texels; they are copied from buffers.

/** The texels of a row. */
export const texelRow = 1024;

/** What the words are: numbers, or bits that no number is made of. */
export type TexelFormat = "rgba32float" | "rgba32uint";

const texelBytes = 16;
const rowBytes = texelRow * texelBytes;

/** The most bytes that texels can have, by the most rows that a texture may have. */
export function mostTexelBytes({ maxTextureDimension2D }: GPUSupportedLimits): number {
  return maxTextureDimension2D * rowBytes;
}

/** The bytes of texels that hold so many: whole rows. */
export function texelSizeFor(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / rowBytes)) * rowBytes;
}

/** A texture that holds words as a buffer does. */
export class Texels {
  readonly texture: GPUTexture;
  readonly view: GPUTextureView;
  /** The bytes, in whole rows. */
  readonly size: number;

  constructor(gpu: GPUDevice, bytes: number, format: TexelFormat = "rgba32float") {
    this.size = texelSizeFor(bytes);
    const { STORAGE_BINDING, COPY_DST } = GPUTextureUsage;
    this.texture = gpu.createTexture({
      size: [texelRow, this.size / rowBytes],
      format,
      usage: STORAGE_BINDING | COPY_DST,
    });
    this.view = this.texture.createView();
  }

  destroy(): void {
    this.texture.destroy();
  }
}

/** A block of texels, and the byte of the words that it begins with. */
interface Block {
  readonly at: number;
  readonly origin: [x: number, y: number];
  readonly size: [width: number, height: number];
}

/** The blocks that bytes `from` to `to` consist of: the rest of a row, whole rows, the beginning of a row. */
function blocksOf(from: number, to: number): Block[] {
  const blocks: Block[] = [];
  for (let at = from; at < to;) {
    const [x, y] = [at % rowBytes / texelBytes, Math.floor(at / rowBytes)];
    const rows = x === 0 ? Math.floor((to - at) / rowBytes) : 0;
    const width = rows > 0 ? texelRow : Math.min(texelRow - x, Math.ceil((to - at) / texelBytes));
    blocks.push({ at: at - from, origin: [x, y], size: [width, Math.max(1, rows)] });
    at += width * Math.max(1, rows) * texelBytes;
  }
  return blocks;
}

/** Write whole vectors to texels from a byte on. */
export function writeTexels(queue: GPUQueue, { texture }: Texels, data: Uint8Array<ArrayBuffer>, offset: number): void {
  for (const { at, origin, size } of blocksOf(offset, offset + data.length)) {
    queue.writeTexture({ texture, origin }, data, { offset: at, bytesPerRow: rowBytes }, size);
  }
}

/** Record a copy of a buffer's bytes `from` to `to` to texels, from byte `offset` on: all multiples of 16. */
export function copyToTexels(
  encoder: GPUCommandEncoder,
  buffer: GPUBuffer,
  { from, to }: { readonly from: number; readonly to: number },
  { texture }: Texels,
  offset: number,
): void {
  for (const { at, origin, size } of blocksOf(offset, offset + to - from)) {
    encoder.copyBufferToTexture({ buffer, offset: from + at, bytesPerRow: rowBytes }, { texture, origin }, size);
  }
}
