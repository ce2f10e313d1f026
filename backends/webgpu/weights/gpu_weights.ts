// A model's parameters on the device, once for each name and layout, whatever the number of programs. Think of a trained
// parameter's stored layout (raw) as the original, which programs write, and of its other layouts as copies: they become stale
// when a program writes the parameter, and are packed again on the device before a program reads them.
import { ShapeError } from "../../../src/errors/mod.ts";
import type { OpenOptions, Weights } from "../../../src/graph/mod.ts";
import { isFloat, sizeOf, Tensor } from "../../../src/tensor/mod.ts";
import {
  type BlockEncoding,
  type Blocks,
  type StoredWeight,
  type StoredWeights,
  weightFromTensor,
} from "../../../src/weights/mod.ts";
import type { Device } from "../device/device.ts";
import { fromDevice } from "../device/gpu_tensor.ts";
import {
  bytesIn,
  isCopy,
  jointName,
  type Layout,
  layoutKey,
  type NumberStorage,
  rawLayout,
  texelFormatOf,
} from "./layout.ts";
import type { Profile } from "../device/profile.ts";
import { Texels } from "../device/texels.ts";
import { Recorder } from "../device/submission_queue.ts";
import { DispatchList } from "../program/dispatch_list.ts";
import { repackingDispatches } from "./repacking.ts";
import { Uploader } from "./uploader.ts";
import { type BufferRange, type HeldLayout, isRounded } from "./held_layout.ts";

/** The layouts that a program reads, by the name that each is held under. */
export type LayoutsByName = ReadonlyMap<string, readonly Layout[]>;

/** Parameters on the GPU. */
export class GpuWeights implements Weights {
  /** Changes whenever a copy becomes stale, is dropped or is packed again. */
  version = 0;
  readonly #held = new Map<string, Map<string, HeldLayout>>();
  readonly #written = new Map<string, Tensor>();
  readonly #trained = new Set<string>();
  readonly #uploader: Uploader;
  readonly #numbers: NumberStorage;
  readonly cacheType: "float32" | "float16";
  readonly #made = new Map<string, Promise<Blocks>>();
  /** Loads and writes under way: one at a time, so that programs compiled at the same time read a parameter once. */
  #uploading: Promise<void> = Promise.resolve();

  constructor(
    readonly source: StoredWeights,
    readonly device: Device,
    readonly profile: Profile,
    { trainable, storage }: OpenOptions = {},
  ) {
    this.#numbers = storage === "float16" ? "float16" : "float32";
    this.cacheType = storage === "float16" && profile.float16 ? "float16" : "float32";
    this.#uploader = new Uploader(device);
    for (const name of source.keys()) if (trainable?.(name)) this.#trained.add(name);
  }

  get isLost(): boolean {
    return this.device.isLost;
  }

  /** Whether programs may write a parameter. */
  isTrained(name: string): boolean {
    return this.#trained.has(name);
  }

  /** The blocks that a parameter is held in; undefined where it is none, or is trained. */
  encodingOf(name: string): BlockEncoding | undefined {
    const blocks = this.isTrained(name) ? undefined : this.source.get(name)?.blocks;
    return blocks && { bits: blocks.bits, block: blocks.block, axis: blocks.axis };
  }

  /** How the numbers of a packed parameter are held; what is trained is not rounded. */
  numbersOf(name: string): NumberStorage {
    return this.isTrained(name) ? "float32" : this.#numbers;
  }

  /** Whether programs that read the parameters round what they compute to float16 where it waits in memory. */
  get rounds(): boolean {
    return this.cacheType === "float16" && this.#trained.size === 0;
  }

  train(names: Iterable<string>): Promise<void> {
    return this.#exclusively(async () => {
      for (const name of names) {
        if (!this.source.has(name)) throw new ShapeError(`Cannot train "${name}": there is no parameter of that name`);
        if (this.#trained.has(name)) continue;
        if (this.#copiesOf(name).some(({ members }) => members.some(isRounded))) {
          throw new ShapeError(`Cannot train "${name}": it is held in few bits; load the model with dtype "float32"`);
        }
        await this.#holdRaw(name);
        this.#trained.add(name);
        for (const held of this.#copiesOf(name)) await this.#compileRepacking(held, name);
        this.markWritten([name]);
      }
    });
  }

  /** Hold parameters in the layouts that a program reads, each read from the source at most once. */
  load(neededLayouts: LayoutsByName, signal?: AbortSignal): Promise<void> {
    return this.#exclusively(async () => {
      for (const [name, layouts] of neededLayouts) {
        const missing = layouts.filter((layout) => !this.#find(name, layout));
        if (missing.length === 0) continue;
        signal?.throwIfAborted();
        const value = await this.#value(name);
        for (const layout of missing) await this.#hold(name, layout, value);
        this.#made.clear();
      }
    });
  }

  /** What to bind for a parameter in a layout that was loaded; undefined while its copy is dropped. */
  binding(name: string, layout: Layout): BufferRange | Texels | undefined {
    const { buffer } = this.#find(name, layout)!;
    if (!buffer || buffer instanceof Texels) return buffer;
    if (layout.kind !== "rows") return { buffer, offset: 0, size: buffer.size };
    const offset = layout.from * layout.width * 4;
    return { buffer, offset, size: (layout.to - layout.from) * layout.width * 4 };
  }

  /** Mark copies of written parameters as stale; a buffer whose parameters are all stale is released. */
  markWritten(names: Iterable<string>): void {
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
   * Pack the stale copies that a program reads again. They are submitted at once, outside any stream, since all programs read
   * them, whatever happens to the stream that runs this one.
   */
  repack(neededLayouts: LayoutsByName): void {
    const recorder = new Recorder(this.device.queue, (message) => this.device.fail(message));
    for (const [name, layouts] of neededLayouts) {
      for (const layout of layouts) {
        const held = this.#find(name, layout)!;
        if (held.stale.size === 0) continue;
        // The program that trained may be recorded in another stream, and not yet submitted.
        this.device.queue.flush();
        this.version++;
        this.#repack(held, recorder);
      }
    }
    recorder.flush();
  }

  /** Record packing the stale parts of a layout again; texels by way of a buffer, since kernels cannot write them. */
  #repack(held: HeldLayout, recorder: Recorder): void {
    const target = held.buffer ??= this.#create(held);
    const [lease] = target instanceof Texels ? this.device.buffers.borrow([held.bytes]) : [];
    const buffer = target instanceof Texels ? lease.buffer : target;
    if (lease) recorder.clear(buffer);
    for (const stale of held.stale) {
      held.repackings.get(stale)!.record(recorder, (storage) => {
        if (storage.kind !== "weights") throw new Error("a repacking copies weights");
        return isCopy(storage.layout) ? { buffer } : this.binding(storage.name, storage.layout) as BufferRange;
      });
      if (!(target instanceof Texels)) continue;
      const { layout, offset } = held.members.find(({ name }) => name === stale)!;
      recorder.copyToTexels(buffer, offset, target, offset, bytesIn(layout, sizeOf(this.source.get(stale)!.shape)));
    }
    lease?.[Symbol.dispose]();
    held.stale.clear();
  }

  async read(name: string): Promise<Tensor> {
    const buffer = this.#find(name, rawLayout)?.buffer as GPUBuffer | undefined;
    if (!buffer || !this.isTrained(name)) return await (this.#written.get(name) ?? this.source.get(name)!.load());
    const { dataType, shape } = this.source.get(name)!;
    let failure: string | undefined;
    const take = (words: ArrayBuffer) => {
      if (failure !== undefined) throw this.device.errorOf(failure);
      return fromDevice({ dataType: isFloat(dataType) ? "float32" : dataType, elementBytes: 4 }, shape, words);
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
      // Work that was queued earlier reads the old value.
      this.device.queue.flush();
      const all = this.isTrained(name)
        ? [this.#find(name, rawLayout)].filter((held) => held !== undefined)
        : this.#copiesOf(name, true);
      for (const { buffer, members } of all) {
        for (const { layout, offset } of members.filter((member) => member.name === name)) {
          await this.#uploader.write(value, layout, buffer!, offset);
        }
      }
      await this.#uploader.check();
      this.markWritten(this.isTrained(name) ? [name] : []);
    });
  }

  forget(names: Iterable<string>): Promise<void> {
    // deno-lint-ignore require-await
    return this.#exclusively(async () => {
      // Work that was queued earlier reads them.
      this.device.queue.flush();
      for (const name of names) {
        for (const held of this.#copiesOf(name, true)) {
          this.#release(held);
          this.#held.get(held.members.length === 1 ? name : jointName(held.members))?.delete(layoutKey(held.layout));
        }
        this.#written.delete(name);
        this.#trained.delete(name);
      }
    });
  }

  #find(name: string, layout: Layout): HeldLayout | undefined {
    return this.#held.get(name)?.get(layoutKey(layout));
  }

  /** The layouts that hold a copy of a parameter; with `withRaw` also the raw layout. */
  #copiesOf(name: string, withRaw = false): HeldLayout[] {
    return [...this.#held.values()].flatMap((layouts) => [...layouts.values()]).filter(({ layout, members }) =>
      members.some((member) => member.name === name) && (withRaw || isCopy(layout))
    );
  }

  /** A parameter's value, in memory where it cannot be read in parts; undefined for the name of a joint layout. */
  async #value(name: string): Promise<StoredWeight | undefined> {
    const written = this.#written.get(name);
    const stored = written ? weightFromTensor(written) : this.source.get(name);
    if (stored?.blocks) return { ...stored, blocks: { ...stored.blocks, load: () => this.#blocks(name, stored) } };
    return stored && !stored.readInto ? weightFromTensor(await stored.load()) : stored;
  }

  /** A parameter's blocks, which are made once for the layouts that are held together. */
  #blocks(name: string, { blocks }: StoredWeight): Promise<Blocks> {
    let made = this.#made.get(name);
    if (!made) this.#made.set(name, made = blocks!.load());
    return made;
  }

  async #holdRaw(name: string): Promise<void> {
    if (!this.#find(name, rawLayout)) await this.#hold(name, rawLayout, await this.#value(name));
  }

  /** Hold a parameter in a layout; of a joint layout each member is read by itself. */
  async #hold(name: string, layout: Layout, value: StoredWeight | undefined): Promise<void> {
    const bytes = bytesIn(layout, value ? sizeOf(value.shape) : 0);
    const members = layout.kind === "joint" ? layout.members : [{ name, layout, offset: 0 }];
    const held: HeldLayout = { layout, bytes, members, buffer: undefined, repackings: new Map(), stale: new Set() };
    const trained = isCopy(layout) ? members.filter((member) => this.isTrained(member.name)) : [];
    for (const member of trained) {
      await this.#holdRaw(member.name);
      await this.#compileRepacking(held, member.name);
      held.stale.add(member.name);
    }
    if (!isCopy(layout) || trained.length < members.length) {
      held.buffer = this.#create(held);
      try {
        for (const { name, layout, offset } of members) {
          await this.#uploader.write(value ?? (await this.#value(name))!, layout, held.buffer, offset);
        }
        await this.#uploader.check();
      } catch (error) {
        this.#release(held);
        throw error;
      }
    }
    const layouts = this.#held.get(name) ?? new Map<string, HeldLayout>();
    this.#held.set(name, layouts.set(layoutKey(layout), held));
  }

  async #compileRepacking(held: HeldLayout, name: string): Promise<void> {
    const { layout, members } = held;
    const heldName = members.length === 1 ? name : jointName(members);
    const member = members.find((member) => member.name === name)!;
    const copies = repackingDispatches(heldName, layout, member, sizeOf(this.source.get(name)!.shape), this.profile);
    held.repackings.set(name, await DispatchList.compile(this.device, copies));
  }

  #create({ layout, bytes }: HeldLayout): GPUBuffer | Texels {
    const format = this.profile.texels && texelFormatOf(layout);
    const created = format ? this.device.createTexels(bytes, format) : this.device.createBuffer(bytes);
    this.device.counters.weightBytes += bytes;
    return created;
  }

  #release(held: HeldLayout): void {
    if (!held.buffer) return;
    this.device.counters.weightBytes -= held.bytes;
    this.device.release(held.buffer);
    held.buffer = undefined;
  }

  #exclusively(work: () => Promise<void>): Promise<void> {
    const done = this.#uploading.then(work);
    const last = this.#uploading = done.catch(() => {}).then(() => {
      if (this.#uploading === last) this.#uploader.finish();
    });
    return done;
  }

  [Symbol.dispose](): void {
    for (const layouts of this.#held.values()) for (const held of layouts.values()) this.#release(held);
    this.#held.clear();
  }
}
