// A model's parameters on the device, once for each name and layout, whatever the number of programs.
import { ShapeError } from "../../src/errors.ts";
import type { OpenOptions, ParameterSource, Weights } from "../../src/graph/mod.ts";
import { isFloat, sizeOf, Tensor, toFloat32 } from "../../src/tensor/mod.ts";
import type { Device } from "./device.ts";
import { fromDevice, toDevice } from "./device_tensor.ts";
import { type JointLayout, type Layout, layoutKey, type MemberLayout, packPanels } from "./layout.ts";

/** Bytes of a binding, where a layout is a part of its buffer. */
interface Binding {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

interface Held {
  readonly layout: Layout;
  readonly buffer: GPUBuffer;
}

/** Parameters on the GPU. */
export class GpuWeights implements Weights {
  readonly trainable: boolean;
  readonly #held = new Map<string, Map<string, Held>>();
  readonly #written = new Map<string, Tensor>();
  /** Loads under way, so that programs compiled at the same time read a parameter once. */
  #loading: Promise<void> = Promise.resolve();

  constructor(readonly source: ParameterSource, readonly device: Device, options: OpenOptions = {}) {
    this.trainable = options.trainable ?? false;
  }

  /** Hold parameters in the layouts that a program reads, each read from the source at most once. */
  load(wanted: ReadonlyMap<string, readonly Layout[]>, signal?: AbortSignal): Promise<void> {
    const load = this.#loading.then(async () => {
      for (const [name, layouts] of wanted) {
        const held = this.#held.get(name);
        const missing = layouts.filter((layout) => !held?.has(layoutKey(layout)));
        if (missing.length === 0) continue;
        signal?.throwIfAborted();
        const [first] = missing;
        if (first.kind === "joint") await this.#loadJoint(name, first);
        else await this.#loadAll(name, missing as Exclude<Layout, JointLayout>[]);
      }
    });
    this.#loading = load.catch(() => {});
    return load;
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
    const info = this.source.parameters.get(name);
    if (!raw || !info || !this.trainable) return this.#written.get(name) ?? await this.source.read(name);
    const { dataType, shape } = info;
    const words = await this.device.read(raw.buffer, 4 * sizeOf(shape));
    return fromDevice(isFloat(dataType) ? "float32" : dataType, shape, words);
  }

  async write(name: string, tensor: Tensor): Promise<void> {
    await this.#loading;
    const info = this.source.parameters.get(name);
    if (info?.shape.join() !== tensor.shape.join()) {
      throw new ShapeError(`Cannot write "${name}": it is [${info?.shape}], the new value [${tensor.shape}]`);
    }
    this.#written.set(name, new Tensor(tensor.dataType, tensor.shape, tensor.data.slice()));
    for (const { layout, buffer } of this.#held.get(name)?.values() ?? []) {
      if (layout.kind !== "joint") this.device.write(buffer, elementsIn(layout, tensor));
    }
    for (const { layout, buffer } of [...this.#held.values()].flatMap((parts) => [...parts.values()])) {
      if (layout.kind !== "joint") continue;
      for (const member of layout.members) {
        if (member.name === name) this.device.write(buffer, elementsIn(member.layout, tensor), member.offset);
      }
    }
  }

  async #current(name: string): Promise<Tensor> {
    return this.#written.get(name) ?? await this.source.read(name);
  }

  async #loadAll(name: string, layouts: readonly Exclude<Layout, JointLayout>[]): Promise<void> {
    const tensor = await this.#current(name);
    for (const layout of layouts) {
      const bytes = elementsIn(layout, tensor);
      this.device.write(this.#hold(name, layout, bytes.length), bytes);
    }
  }

  async #loadJoint(name: string, layout: JointLayout): Promise<void> {
    // All are read before the buffer is held, so that a failed read leaves none half written.
    const tensors = await Promise.all(layout.members.map((member) => this.#current(member.name)));
    const buffer = this.#hold(name, layout, layout.bytes);
    layout.members.forEach((member, i) => {
      this.device.write(buffer, elementsIn(member.layout, tensors[i]), member.offset);
    });
  }

  #hold(name: string, layout: Layout, bytes: number): GPUBuffer {
    const buffer = this.device.createBuffer(bytes);
    this.device.counters.weightBytes += buffer.size;
    const parts = this.#held.get(name) ?? new Map<string, Held>();
    this.#held.set(name, parts.set(layoutKey(layout), { layout, buffer }));
    return buffer;
  }

  [Symbol.dispose](): void {
    for (const parts of this.#held.values()) {
      for (const { buffer } of parts.values()) {
        this.device.counters.weightBytes -= buffer.size;
        this.device.release(buffer);
      }
    }
    this.#held.clear();
  }
}

/** A parameter's elements as they lie in a layout. */
function elementsIn(layout: MemberLayout | { kind: "rows" }, { dataType, data }: Tensor): Uint8Array {
  return layout.kind === "panels"
    ? new Uint8Array(packPanels(toFloat32(dataType, data), layout).buffer)
    : toDevice(dataType, data);
}
