// A model's parameters on the device, once for each name and layout, whatever the number of programs. Of a parameter that
// is trained the layout as stored (raw) is the truth: programs write it, and what others read is a copy, which is given up
// when a program writes the parameter, and made again on the device before a program reads it.
import { ShapeError } from "../../../src/errors/mod.ts";
import type { OpenOptions, Weights } from "../../../src/graph/mod.ts";
import { isFloat, sizeOf, Tensor } from "../../../src/tensor/mod.ts";
import { type StoredWeight, type StoredWeights, weightFromTensor } from "../../../src/weights/mod.ts";
import type { Device } from "../device/device.ts";
import { fromDevice } from "../device/device_tensor.ts";
import { bytesIn, type JointMember, type Layout, layoutKey } from "./layout.ts";
import type { Profile } from "../device/profile.ts";
import { Recorder } from "../device/submissions.ts";
import { Renewal, renewalOf } from "./renewal.ts";
import { Upload } from "./upload.ts";

/** Bytes of a binding, where a layout is a part of its buffer. */
interface Binding {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** The layouts that a program reads, by the name that each is held under. */
export type Wanted = ReadonlyMap<string, readonly Layout[]>;

/** Parameters in a layout. */
interface Held {
  readonly layout: Layout;
  readonly bytes: number;
  /** The parameters that the buffer holds: several where the layout is joint. */
  readonly members: readonly JointMember[];
  /** Undefined while a copy is given up. */
  buffer: GPUBuffer | undefined;
  /** The copies of the members that are trained, and those of them that have to be made again. */
  readonly renewals: Map<string, Renewal>;
  readonly stale: Set<string>;
}

/** The layout that a parameter is trained in. */
const raw: Layout = { kind: "raw" };

/** Parameters on the GPU. */
export class GpuWeights implements Weights {
  /** Changes whenever a copy becomes stale, is given up or is made again. */
  version = 0;
  readonly #held = new Map<string, Map<string, Held>>();
  readonly #written = new Map<string, Tensor>();
  readonly #trained = new Set<string>();
  readonly #upload: Upload;
  /** Loads and writes under way: one at a time, so that programs compiled at the same time read a parameter once. */
  #uploading: Promise<void> = Promise.resolve();

  constructor(
    readonly source: StoredWeights,
    readonly device: Device,
    readonly profile: Profile,
    { trainable }: OpenOptions = {},
  ) {
    this.#upload = new Upload(device);
    for (const name of source.keys()) if (trainable?.(name)) this.#trained.add(name);
  }

  /** Whether programs may write a parameter. */
  isTrained(name: string): boolean {
    return this.#trained.has(name);
  }

  train(names: Iterable<string>): Promise<void> {
    return this.#exclusively(async () => {
      for (const name of names) {
        if (!this.source.has(name)) throw new ShapeError(`Cannot train "${name}": there is no parameter of that name`);
        if (this.#trained.has(name)) continue;
        await this.#holdRaw(name);
        this.#trained.add(name);
        for (const held of this.#copiesOf(name)) await this.#compileRenewal(held, name);
        this.wrote([name]);
      }
    });
  }

  /** Hold parameters in the layouts that a program reads, each read from the source at most once. */
  load(wanted: Wanted, signal?: AbortSignal): Promise<void> {
    return this.#exclusively(async () => {
      for (const [name, layouts] of wanted) {
        const missing = layouts.filter((layout) => !this.#find(name, layout));
        if (missing.length === 0) continue;
        signal?.throwIfAborted();
        const value = await this.#value(name);
        for (const layout of missing) await this.#hold(name, layout, value);
      }
    });
  }

  /** The binding of a parameter in a layout that was loaded; undefined while it is given up. */
  binding(name: string, layout: Layout): Binding | undefined {
    const { buffer } = this.#find(name, layout)!;
    if (!buffer) return undefined;
    if (layout.kind !== "rows") return { buffer, offset: 0, size: buffer.size };
    const offset = layout.from * layout.width * 4;
    return { buffer, offset, size: (layout.to - layout.from) * layout.width * 4 };
  }

  /** Give up the copies of parameters that a program writes; where others are in the same buffer, make them again later. */
  wrote(names: Iterable<string>): void {
    for (const name of names) {
      for (const held of this.#copiesOf(name)) {
        if (held.stale.has(name)) continue;
        held.stale.add(name);
        this.version++;
        if (held.members.every((member) => held.stale.has(member.name))) this.#release(held);
      }
    }
  }

  /**
   * Make the copies again that a program reads: submitted at once and apart, as they are for all programs, whatever
   * becomes of the stream that runs this one.
   */
  renew(wanted: Wanted): void {
    const recorder = new Recorder(this.device.queue, (message) => this.device.fail(message));
    for (const [name, layouts] of wanted) {
      for (const layout of layouts) {
        const held = this.#find(name, layout)!;
        if (held.stale.size === 0) continue;
        // What trains may be recorded in another stream.
        this.device.queue.flush();
        this.version++;
        held.buffer ??= this.#create(held.bytes);
        for (const stale of held.stale) {
          held.renewals.get(stale)!.record(recorder, (storage) => {
            if (storage.kind !== "weights") throw new Error("a renewal copies weights");
            const isCopy = layoutKey(storage.layout) !== layoutKey(raw);
            return isCopy ? { buffer: held.buffer! } : this.binding(storage.name, storage.layout)!;
          });
        }
        held.stale.clear();
      }
    }
    recorder.flush();
  }

  async read(name: string): Promise<Tensor> {
    const buffer = this.#find(name, raw)?.buffer;
    if (!buffer || !this.isTrained(name)) return await (this.#written.get(name) ?? this.source.get(name)!.load());
    const { dataType, shape } = this.source.get(name)!;
    let failure: string | undefined;
    const take = (words: ArrayBuffer) => {
      if (failure !== undefined) throw this.device.errorOf(failure);
      return fromDevice(isFloat(dataType) ? "float32" : dataType, shape, words);
    };
    this.device.queue.flush();
    const recorder = new Recorder(this.device.queue, (message) => failure ??= message);
    return await this.device.read(recorder, buffer, 4 * sizeOf(shape), take);
  }

  write(name: string, tensor: Tensor): Promise<void> {
    return this.#exclusively(async () => {
      const info = this.source.get(name);
      if (info?.shape.join() !== tensor.shape.join()) {
        throw new ShapeError(`Cannot write "${name}": it is [${info?.shape}], the new value [${tensor.shape}]`);
      }
      const written = new Tensor(tensor.dataType, tensor.shape, tensor.data.slice());
      this.#written.set(name, written);
      const value = weightFromTensor(written);
      // What was queued before reads the value of before.
      this.device.queue.flush();
      const all = this.isTrained(name)
        ? [this.#find(name, raw)].filter((held) => held !== undefined)
        : this.#copiesOf(name, true);
      for (const { buffer, members } of all) {
        for (const { layout, offset } of members.filter((member) => member.name === name)) {
          await this.#upload.write(value, layout, buffer!, offset);
        }
      }
      await this.#upload.check();
      this.wrote(this.isTrained(name) ? [name] : []);
    });
  }

  #find(name: string, layout: Layout): Held | undefined {
    return this.#held.get(name)?.get(layoutKey(layout));
  }

  /** Where a parameter is held but in the layout that it would be trained in, or with that. */
  #copiesOf(name: string, withRaw = false): Held[] {
    return [...this.#held.values()].flatMap((layouts) => [...layouts.values()]).filter(({ layout, members }) =>
      members.some((member) => member.name === name) && (withRaw || layoutKey(layout) !== layoutKey(raw))
    );
  }

  /** A parameter's value, in memory where it cannot be read in parts; undefined for the name of a joint layout. */
  async #value(name: string): Promise<StoredWeight | undefined> {
    const written = this.#written.get(name);
    const stored = written ? weightFromTensor(written) : this.source.get(name);
    return stored && !stored.readInto ? weightFromTensor(await stored.load()) : stored;
  }

  async #holdRaw(name: string): Promise<void> {
    if (!this.#find(name, raw)) await this.#hold(name, raw, await this.#value(name));
  }

  /** Hold a parameter in a layout; of a joint layout each member is read by itself. */
  async #hold(name: string, layout: Layout, value: StoredWeight | undefined): Promise<void> {
    const bytes = bytesIn(layout, value ? sizeOf(value.shape) : 0);
    const members = layout.kind === "joint" ? layout.members : [{ name, layout, offset: 0 }];
    const held: Held = { layout, bytes, members, buffer: undefined, renewals: new Map(), stale: new Set() };
    const isCopy = layoutKey(layout) !== layoutKey(raw);
    const trained = isCopy ? members.filter((member) => this.isTrained(member.name)) : [];
    for (const member of trained) {
      await this.#holdRaw(member.name);
      await this.#compileRenewal(held, member.name);
      held.stale.add(member.name);
    }
    if (!isCopy || trained.length < members.length) {
      held.buffer = this.#create(bytes);
      try {
        for (const { name, layout, offset } of members) {
          await this.#upload.write(value ?? (await this.#value(name))!, layout, held.buffer, offset);
        }
        await this.#upload.check();
      } catch (error) {
        this.#release(held);
        throw error;
      }
    }
    const layouts = this.#held.get(name) ?? new Map<string, Held>();
    this.#held.set(name, layouts.set(layoutKey(layout), held));
  }

  async #compileRenewal(held: Held, name: string): Promise<void> {
    const { layout, members } = held;
    const under = members.length === 1 ? name : members.map(({ name }) => name).join("\n");
    const member = members.find((member) => member.name === name)!;
    const copies = renewalOf(under, layout, member, sizeOf(this.source.get(name)!.shape), this.profile);
    held.renewals.set(name, await Renewal.compile(this.device, copies));
  }

  #create(bytes: number): GPUBuffer {
    const buffer = this.device.createBuffer(bytes);
    this.device.counters.weightBytes += buffer.size;
    return buffer;
  }

  #release(held: Held): void {
    if (!held.buffer) return;
    this.device.counters.weightBytes -= held.buffer.size;
    this.device.release(held.buffer);
    held.buffer = undefined;
  }

  #exclusively(work: () => Promise<void>): Promise<void> {
    const done = this.#uploading.then(work);
    const last = this.#uploading = done.catch(() => {}).then(() => {
      if (this.#uploading === last) this.#upload.finish();
    });
    return done;
  }

  [Symbol.dispose](): void {
    for (const layouts of this.#held.values()) for (const held of layouts.values()) this.#release(held);
    this.#held.clear();
  }
}
