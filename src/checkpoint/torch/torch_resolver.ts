// The whitelist of names that a PyTorch checkpoint's pickle may use: storages, the functions that make tensors of them, and
// little else. They become descriptions (StorageReference, TensorView); nothing is read or run here.
import type { DataType } from "../../tensor/mod.ts";
import { maxRank } from "../limits.ts";
import {
  describeValue,
  PickleDict,
  PickleFault,
  PickleGlobal,
  PickleList,
  PickleObject,
  type PickleResolver,
  type PickleValue,
} from "./pickle_values.ts";
import { sizeWithin } from "../tensor_table.ts";

/** A storage that a tensor refers to: elements of one type that lie outside of the pickle. */
export class StorageReference extends PickleObject {
  /**
   * @param key The storage's name in the file.
   * @param dataType The type of its elements.
   * @param size The number of its elements.
   * @param storageSize The number of elements of the stored storage, of which this may be a part in files of old PyTorch.
   * @param begin The index of its first element in that.
   */
  constructor(
    readonly key: string,
    readonly dataType: DataType,
    readonly size: number,
    readonly storageSize: number,
    readonly begin: number,
  ) {
    super("a storage");
  }
}

/** A strided view of a storage, known to lie inside of it. Offset and strides count elements. */
export class TensorView extends PickleObject {
  constructor(
    readonly storage: StorageReference,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {
    super("a tensor");
  }
}

const storageTypes: Readonly<Record<string, DataType>> = {
  DoubleStorage: "float64",
  FloatStorage: "float32",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  LongStorage: "int64",
  IntStorage: "int32",
  ShortStorage: "int16",
  CharStorage: "int8",
  ByteStorage: "uint8",
  BoolStorage: "bool",
};

class StorageType extends PickleGlobal {
  constructor(name: string, readonly dataType: DataType) {
    super(name);
  }
}

const torchTypes = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128 strided"
  .split(" ");

const globals: ReadonlyMap<string, PickleGlobal> = new Map([
  ...Object.entries(storageTypes).flatMap(([name, dataType]) =>
    ["torch", "torch.cuda"].map((module) => new StorageType(`${module}.${name}`, dataType))
  ),
  ...torchTypes.map((name) => new PickleGlobal(`torch.${name}`)),
  new PickleGlobal("torch.Tensor"),
  new PickleGlobal("torch.nn.parameter.Parameter"),
  new PickleGlobal("torch.nn.parameter.Buffer"),
  new PickleGlobal("torch._utils._rebuild_tensor", rebuildTensor),
  new PickleGlobal("torch._utils._rebuild_tensor_v2", rebuildTensor),
  new PickleGlobal("torch._utils._rebuild_parameter", ([data]) => asTensor(data)),
  new PickleGlobal("torch._utils._rebuild_parameter_with_state", ([data]) => asTensor(data)),
  new PickleGlobal("torch._tensor._rebuild_from_type_v2", rebuildFromType),
  new PickleGlobal("torch.Size", ([sizes]) => sizes ?? []),
  new PickleGlobal("torch.device", (args) => args),
  new PickleGlobal("collections.OrderedDict", orderedDict),
  new PickleGlobal("_codecs.encode", ([text]) => text ?? null),
  // Plain data that protocols below 5 write as calls.
  ...["__builtin__", "builtins"].flatMap((module) =>
    ["bytearray", "set", "frozenset"].map((name) =>
      new PickleGlobal(`${module}.${name}`, ([content]) => content ?? null)
    )
  ),
].map((global) => [global.name, global]));

/** Resolves the names and the storages of PyTorch's checkpoints. */
export const torchResolver: PickleResolver = {
  findGlobal: (module, name) => name.includes(".") ? undefined : globals.get(`${module}.${name}`),
  persistentLoad: storageReference,
};

/** `("storage", type, key, location, size)`, in the legacy format followed by None or `(view key, begin, size)`. */
function storageReference(id: PickleValue): StorageReference {
  if (!Array.isArray(id) || id[0] !== "storage") {
    const kind = describeValue(Array.isArray(id) ? id[0] ?? null : id);
    throw new PickleFault(`it refers to ${kind} outside of the pickle, expected only a "storage"`);
  }
  const [, type, key, , size, view] = id as readonly PickleValue[];
  if (!(type instanceof StorageType)) {
    throw new PickleFault(`it refers to a storage of type ${describeValue(type ?? null)}, which is not supported`);
  }
  if (typeof key !== "string") throw new PickleFault("it refers to a storage by no string");
  const storageSize = wholeNumber(size, "the size of a storage");
  if (view === undefined || view === null) return new StorageReference(key, type.dataType, storageSize, storageSize, 0);
  if (!Array.isArray(view)) throw new PickleFault(`a storage's view is ${describeValue(view)}, expected a tuple`);
  const begin = wholeNumber(view[1], "the first element of a storage's view");
  const length = wholeNumber(view[2], "the size of a storage's view");
  if (begin + length > storageSize) {
    throw new PickleFault(`a storage's view ends beyond its ${storageSize} elements`);
  }
  return new StorageReference(key, type.dataType, length, storageSize, begin);
}

/** `(storage, offset, size, stride, …)`; the arguments after these concern gradients and hooks. */
function rebuildTensor([storage, first, sizes, steps]: readonly PickleValue[]): TensorView {
  if (!(storage instanceof StorageReference)) throw new PickleFault("it makes a tensor of no storage");
  const offset = wholeNumber(first, "the offset of a tensor");
  const shape = wholeNumbers(sizes, "the shape of a tensor");
  const strides = wholeNumbers(steps, "the strides of a tensor");
  if (shape.length !== strides.length) {
    throw new PickleFault(`it makes a tensor of shape [${shape}] with strides [${strides}], expected one an axis`);
  }
  if (Number.isNaN(sizeWithin(shape, Number.MAX_SAFE_INTEGER))) {
    throw new PickleFault(`it makes a tensor of shape [${shape}], which is too large`);
  }
  const last = shape.includes(0) ? -1 : shape.reduce((at, size, axis) => at + (size - 1) * strides[axis], offset);
  if (last >= storage.size || offset > storage.size) {
    throw new PickleFault(
      `it makes a tensor of shape [${shape}] and strides [${strides}] at element ${offset} of a storage, ` +
        `which reaches beyond the storage's ${storage.size} elements`,
    );
  }
  return new TensorView(storage, offset, shape, strides);
}

/** `(function, type, args, state)`: how a tensor with attributes of its own is written; the attributes are dropped. */
function rebuildFromType([build, type, args]: readonly PickleValue[]): TensorView {
  const known = type instanceof PickleGlobal && /^torch\.(Tensor|nn\.parameter\.(Parameter|Buffer))$/.test(type.name);
  const builds = build instanceof PickleGlobal && build.call && build.call !== rebuildFromType;
  if (!builds || !Array.isArray(args) || !known) {
    throw new PickleFault(`it makes a tensor of type ${describeValue(type ?? null)}, which is not supported`);
  }
  return asTensor(build.call!(args));
}

function orderedDict([pairs]: readonly PickleValue[]): PickleDict {
  const dict = new PickleDict();
  const items = pairs instanceof PickleList ? pairs.items : pairs ?? [];
  if (!Array.isArray(items)) throw new PickleFault(`it makes a dictionary of ${describeValue(pairs ?? null)}`);
  for (const item of items) {
    const pair = item instanceof PickleList ? item.items : item;
    if (!Array.isArray(pair) || pair.length !== 2) throw new PickleFault("it makes a dictionary of no pairs");
    dict.entries.push(pair[0], pair[1]);
  }
  return dict;
}

function asTensor(value: PickleValue | undefined): TensorView {
  if (value instanceof TensorView) return value;
  throw new PickleFault(`it makes a parameter of ${describeValue(value ?? null)}, expected a tensor`);
}

function wholeNumber(value: PickleValue | undefined, what: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new PickleFault(`${what} is ${describeValue(value ?? null)}, expected a whole number`);
}

function wholeNumbers(value: PickleValue | undefined, what: string): number[] {
  const items = value instanceof PickleList ? value.items : value;
  if (!Array.isArray(items)) throw new PickleFault(`${what} is ${describeValue(value ?? null)}, expected a tuple`);
  if (items.length > maxRank) throw new PickleFault(`${what} has ${items.length} axes, at most ${maxRank} are allowed`);
  return items.map((item) => wholeNumber(item, what));
}
