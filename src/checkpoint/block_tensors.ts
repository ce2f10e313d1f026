// Weights in blocks of 8 or 4 bits as a checkpoint holds them: the codes under the weight's own name, U8, or I8 where each is less
// the middle one and columns lie one after another; the scales under that name and `_scale`, and in config.json's `quantization_config` how each is to be read. Python does not know the method and
// refuses such a checkpoint, since codes have three axes where it expects two.
import { FormatError } from "../errors/mod.ts";
import { isRecord } from "../hub/mod.ts";
import type { TypedArray } from "../tensor/mod.ts";
import {
  type BlockEncoding,
  type BlockShapes,
  blockShapes,
  type CodeForm,
  codeType,
  layOutCodes,
  type StoredWeight,
  weightOfBlocks,
} from "../weights/mod.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { TensorTable } from "./tensor_table.ts";

/** The method's name, `quant_method`. */
const method = "limner";

/** The weights in blocks of a checkpoint: their shapes, and how they are encoded. */
export type BlockWeights = ReadonlyMap<string, { readonly shape: readonly number[]; readonly encoding: BlockEncoding }>;

/** The name of a weight's scales. */
export function scalesName(name: string): string {
  return `${name}_scale`;
}

/** The shape of codes in a file: of three axes, so that no tool can take them for the matrix itself. */
export function storedCodes({ rows, columns, stored }: BlockShapes, form: CodeForm): readonly number[] {
  return form === "rows" ? stored : [1, columns, rows];
}

/** What config.json says of weights in blocks. */
export function describeBlocks(weights: BlockWeights): Record<string, unknown> {
  const entries = [...weights].map(([name, { shape, encoding: { bits, block, axis } }]) =>
    [name, { axis, bits, block_size: block, shape }] as const
  );
  return { quant_method: method, weights: Object.fromEntries(entries) };
}

/** Read the weights in blocks; undefined where the model has none, or was quantised by something else. */
function readBlockWeights(config: Readonly<Record<string, unknown>>, file: string): BlockWeights | undefined {
  const { quantization_config: described } = config;
  if (!isRecord(described) || described.quant_method !== method) return undefined;
  const fail = (key: string, found: unknown, expected: string): never => {
    const whole = `quantization_config.${key}`;
    const reason = `${whole} is ${JSON.stringify(found) ?? "missing"}, expected ${expected}`;
    throw new FormatError(`Cannot read ${file}: ${reason}`, { file, key: whole });
  };
  const { weights } = described;
  if (!isRecord(weights)) return fail("weights", weights, "an object");
  return new Map(
    Object.entries(weights).map(([name, entry]) => {
      const key = `weights.${name}`;
      if (!isRecord(entry)) return fail(key, entry, "an object");
      const { bits, block_size: block, axis, shape } = entry;
      if (bits !== 4 && bits !== 8) return fail(`${key}.bits`, bits, "4 or 8");
      if (axis !== 0 && axis !== 1) return fail(`${key}.axis`, axis, "0 or 1");
      const isLength = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0;
      if (!Array.isArray(shape) || shape.length !== 2 || !shape.every(isLength)) {
        return fail(`${key}.shape`, shape, "two lengths");
      }
      // What ONNX Runtime's operators take.
      const isSize = [16, 32, 64, 128, 256].includes(block as number) && shape[axis] % (block as number) === 0;
      if (!isSize) return fail(`${key}.block_size`, block, `a power of 2 from 16 to 256 that divides ${shape[axis]}`);
      return [name, { shape, encoding: { bits, block: block as number, axis } }] as const;
    }),
  );
}

/**
 * A checkpoint with the weights put together that its configuration says are in blocks.
 *
 * @param config The fields of config.json.
 * @throws {FormatError} If the description is not what `describeBlocks` writes, or if codes or scales are missing, or not of
 * the type and shape that it makes them.
 */
export function withBlocks(checkpoint: Checkpoint, config: Readonly<Record<string, unknown>> | undefined): Checkpoint {
  const weights = config && readBlockWeights(config, `config.json of ${checkpoint.name}`);
  return weights ? joinBlocks(checkpoint, weights) : checkpoint;
}

/** Codes that lie in any form, in rows. */
function inRows(codes: TypedArray, shapes: BlockShapes, from: CodeForm): Uint8Array<ArrayBuffer> {
  if (from === "rows") return codes as Uint8Array<ArrayBuffer>;
  const rows = new Uint8Array(codes.length);
  layOutCodes(codes, shapes, { from, to: "rows" }, rows);
  return rows;
}

function joinBlocks(checkpoint: Checkpoint, weights: BlockWeights): Checkpoint {
  const joined = new Map<string, StoredWeight>();
  for (const [name, { shape, encoding }] of weights) {
    const shapes = blockShapes(shape, encoding);
    const part = (part: string, dataType: string, expected: readonly number[]): StoredWeight => {
      const found = checkpoint.find(part);
      if (found?.dataType === dataType && found.shape.join() === expected.join()) return found;
      const is = found ? `it is ${found.dataType} [${found.shape.join(", ")}]` : "it is missing";
      throw new FormatError(
        `Cannot read "${part}" of ${checkpoint.name}: ${is}, but quantization_config makes it ${dataType} ` +
          `[${expected.join(", ")}]`,
        { file: checkpoint.name, tensor: part },
      );
    };
    const inColumns = encoding.bits === 8 && checkpoint.find(name)?.dataType === "int8";
    const form = inColumns ? "signedColumns" : "rows";
    const [codes, scales] = [
      part(name, codeType(form), storedCodes(shapes, form)),
      part(scalesName(name), "float32", shapes.scales),
    ];
    const load = async () => ({
      codes: inRows((await codes.load()).data, shapes, form),
      scales: (await scales.load()).data as Float32Array<ArrayBuffer>,
    });
    const regions = codes.region && scales.region && { codes: codes.region, scales: scales.region };
    joined.set(name, weightOfBlocks(shape, { ...encoding, regions, form, load }));
  }
  const table = new TensorTable();
  const scales = new Set([...weights.keys()].map(scalesName));
  for (const [name, stored] of checkpoint.parameters) {
    if (!scales.has(name)) table.set(name, joined.get(name) ?? stored);
  }
  return checkpoint.withTable(table);
}
