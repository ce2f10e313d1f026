// A model's parameters on the device, once for each name and layout, whatever the number of programs.
import { ShapeError } from "../../src/errors.ts";
import type { OpenOptions, Weights } from "../../src/graph/mod.ts";
import { isFloat, sizeOf, Tensor } from "../../src/tensor/mod.ts";
import { type StoredWeight, type StoredWeights, weightOf } from "../../src/weights/mod.ts";
import type { Device } from "./device.ts";
import { fromDevice } from "./device_tensor.ts";
import { bytesIn, type JointMember, type Layout, layoutKey } from "./layout.ts";
import { Recorder } from "./queue.ts";
import { Upload } from "./upload.ts";

/** Bytes of a binding, where a layout is a part of its buffer. */
interface Binding {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

interface Held {
  readonly buffer: GPUBuffer;
  /** The parameters that the buffer holds: several where the layout is joint. */
  readonly members: readonly JointMember[];
}

/** Parameters on the GPU. */
export class GpuWeights implements Weights {
  readonly trainable: boolean;
  readonly #held = new Map<string, Map<string, Held>>();
  readonly #written = new Map<string, Tensor>();
  readonly #upload: Upload;
  /** Loads and writes under way: one at a time, so that programs compiled at the same time read a parameter once. */
  #uploading: Promise<void> = Promise.resolve();

  constructor(readonly source: StoredWeights, readonly device: Device, options: OpenOptions = {}) {
    this.trainable = options.trainable ?? false;
    this.#upload = new Upload(device);
  }

  /** Hold parameters in the layouts that a program reads, each read from the source at most once. */
  load(wanted: ReadonlyMap<string, readonly Layout[]>, signal?: AbortSignal): Promise<void> {
    return this.#exclusively(async () => {
      for (const [name, layouts] of wanted) {
        const missing = layouts.filter((layout) => !this.#held.get(name)?.has(layoutKey(layout)));
        if (missing.length === 0) continue;
        signal?.throwIfAborted();
        const value = await this.#value(name);
        for (const layout of missing) await this.#hold(name, layout, value);
      }
    });
  }

  /** The binding of a parameter in a layout that was loaded. */
  binding(name: string, layout: Layout): Binding {
    const { buffer } = this.#held.get(name)!.get(layoutKey(layout))!;
    if (layout.kind !== "rows") return { buffer, offset: 0, size: buffer.size };
    const offset = layout.from * layout.width * 4;
    return { buffer, offset, size: (layout.to - layout.from) * layout.width * 4 };
  }

  async read(name: string): Promise<Tensor> {
    const raw = this.#held.get(name)?.get("raw");
    const info = this.source.get(name);
    if (!raw || !info || !this.trainable) return await (this.#written.get(name) ?? this.source.get(name)!.load());
    const { dataType, shape } = info;
    let failure: string | undefined;
    const take = (words: ArrayBuffer) => {
      if (failure !== undefined) throw this.device.errorOf(failure);
      return fromDevice(isFloat(dataType) ? "float32" : dataType, shape, words);
    };
    this.device.queue.flush();
    const recorder = new Recorder(this.device.queue, (message) => failure ??= message);
    return await this.device.read(recorder, raw.buffer, 4 * sizeOf(shape), take);
  }

  write(name: string, tensor: Tensor): Promise<void> {
    return this.#exclusively(async () => {
      const info = this.source.get(name);
      if (info?.shape.join() !== tensor.shape.join()) {
        throw new ShapeError(`Cannot write "${name}": it is [${info?.shape}], the new value [${tensor.shape}]`);
      }
      const written = new Tensor(tensor.dataType, tensor.shape, tensor.data.slice());
      this.#written.set(name, written);
      const value = weightOf(written);
      // What was queued before reads the value of before.
      this.device.queue.flush();
      for (const { buffer, members } of [...this.#held.values()].flatMap((layouts) => [...layouts.values()])) {
        for (const { layout, offset } of members.filter((member) => member.name === name)) {
          await this.#upload.write(value, layout, buffer, offset);
        }
      }
      await this.#upload.check();
    });
  }

  /** A parameter's value, in memory where it cannot be read in parts; undefined for the name of a joint layout. */
  async #value(name: string): Promise<StoredWeight | undefined> {
    const written = this.#written.get(name);
    const stored = written ? weightOf(written) : this.source.get(name);
    return stored && !stored.readInto ? weightOf(await stored.load()) : stored;
  }

  /** Hold a parameter in a layout; of a joint layout each member is read by itself. */
  async #hold(name: string, layout: Layout, value: StoredWeight | undefined): Promise<void> {
    const buffer = this.device.createBuffer(bytesIn(layout, value ? sizeOf(value.shape) : 0));
    const members = layout.kind === "joint" ? layout.members : [{ name, layout, offset: 0 }];
    try {
      for (const { name, layout, offset } of members) {
        await this.#upload.write(value ?? (await this.#value(name))!, layout, buffer, offset);
      }
      await this.#upload.check();
    } catch (error) {
      this.device.release(buffer);
      throw error;
    }
    this.device.counters.weightBytes += buffer.size;
    const layouts = this.#held.get(name) ?? new Map<string, Held>();
    this.#held.set(name, layouts.set(layoutKey(layout), { buffer, members }));
  }

  #exclusively(work: () => Promise<void>): Promise<void> {
    const done = this.#uploading.then(work);
    const last = this.#uploading = done.catch(() => {}).then(() => {
      if (this.#uploading === last) this.#upload.finish();
    });
    return done;
  }

  [Symbol.dispose](): void {
    for (const layouts of this.#held.values()) {
      for (const { buffer } of layouts.values()) {
        this.device.counters.weightBytes -= buffer.size;
        this.device.release(buffer);
      }
    }
    this.#held.clear();
  }
}
