// Where kernels find the tensors that a run is bound to: in the tensor's own buffer, or, where WebGPU cannot bind that, in
// memory of the run, which is filled before the run and copied back after it.
import type { BoundTensor } from "../../../src/graph/mod.ts";
import { ShapeError } from "../../../src/errors/mod.ts";
import { sizeOf } from "../../../src/tensor/mod.ts";
import type { GpuTensor } from "../device/gpu_tensor.ts";
import type { Dispatch } from "../kernels/shader.ts";
import { wholeStorage } from "./view.ts";

/** The tensors, or parts of tensors, that a run is bound to, by name. */
export type BoundTensors = Readonly<Record<string, BoundTensor<GpuTensor>>>;

/** @throws {ShapeError} If a part cannot be copied in words. */
function checkWords(name: string, part: BoundTensor<GpuTensor>): void {
  const { tensor: { dataType, size }, offset, shape } = part;
  const end = offset + sizeOf(shape);
  const isOdd = byteOffset(part) % 4 !== 0 || part.written && bytesOf(part) % 4 !== 0 && end < size;
  if (!isOdd) return;
  throw new ShapeError(
    `Cannot bind "${name}" to elements ${offset} to ${end} of ${dataType}: a GPU copies words, which have two of them`,
  );
}

/** The bytes of a part. */
export function bytesOf({ tensor, shape }: BoundTensor<GpuTensor>): number {
  return tensor.elementBytes * sizeOf(shape);
}

/** The byte that a part begins at. */
export function byteOffset({ tensor, offset }: BoundTensor<GpuTensor>): number {
  return tensor.elementBytes * offset;
}

/** The bytes of a part that are copied: whole words. */
export function copiedBytes(part: BoundTensor<GpuTensor>): number {
  return Math.ceil(bytesOf(part) / 4) * 4;
}

/** A part as a binding. @param most The most bytes that a binding may have. */
export function bindingOf(part: BoundTensor<GpuTensor>, most: number): GPUBufferBinding {
  const { tensor: { buffer } } = part;
  const offset = byteOffset(part);
  // The whole buffer where it can be, so that uses of it for other sizes have the same bind groups.
  if (offset === 0 && buffer.size <= most) return { buffer };
  return { buffer, offset, size: Math.max(16, Math.ceil(bytesOf(part) / 16) * 16) };
}

/**
 * The names of the bound tensors that need memory of the run: they begin where no binding may begin, or a kernel would bind
 * a buffer twice and write it.
 *
 * @param alignment The alignment of a binding's offset, in bytes.
 * @throws {ShapeError} If such a tensor is of float16, which cannot be copied without its neighbours.
 */
export function namesNeedingOwnMemory(
  parts: BoundTensors,
  dispatches: readonly Dispatch[],
  alignment: number,
): Set<string> {
  const apart = new Set(
    Object.keys(parts).filter((name) => {
      const offset = byteOffset(parts[name]);
      // What has no elements may begin at the buffer's end.
      return offset % alignment !== 0 || offset > 0 && bytesOf(parts[name]) === 0;
    }),
  );
  for (const { storages, writes } of dispatches) {
    const bound = storages.map(wholeStorage).flatMap((storage, i) =>
      storage.kind === "bound" ? [{ name: storage.name, tensor: parts[storage.name].tensor, writes: writes[i] }] : []
    );
    for (const { name, tensor, writes } of bound) {
      const clashes = bound.some((other) =>
        other.name !== name && other.tensor === tensor && (writes || other.writes) && !apart.has(other.name)
      );
      if (clashes) apart.add(name);
    }
  }
  for (const name of apart) checkWords(name, parts[name]);
  return apart;
}
