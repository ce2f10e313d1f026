// Weights in blocks of few bits, made of ones in full precision while they are read.
import { FormatError } from "../errors/mod.ts";
import { WorkerPool, type WorkerRole } from "../async/worker_pool.ts";
import { sizeOf } from "../tensor/mod.ts";
import type { BlockEncoding, Blocks } from "./block_encoding.ts";
import { type Encoded, type EncodeTask, encodeTensor } from "./encode_tensor.ts";
import { float32Region, type StoredWeight } from "./stored_weight.ts";
import { weightOfBlocks } from "./weight_of_blocks.ts";

const encoding: WorkerRole<EncodeTask, Encoded, Blocks> = {
  script: new URL("./encode_worker.ts", import.meta.url),
  transfer: ({ from }) => "data" in from ? [from.data.buffer as ArrayBuffer] : [],
  receive: (_, answer) => blocksOf(answer),
  here: (task) => blocksOf(encodeTensor(task)),
  lost: (_, why) => new FormatError(`it cannot be quantised: ${why}`),
};

function blocksOf(answer: Encoded): Blocks {
  if ("fault" in answer) throw new FormatError(answer.fault);
  return answer;
}

/** Fewer numbers than this are encoded here: a worker takes longer to start. */
const worthWorker = 1 << 20;

/** Makes blocks of weights in workers, which it starts as there is work; they end when there has been none for a while. */
export class Quantizer {
  readonly #workers = new WorkerPool(encoding);

  /**
   * A weight in blocks, which are made of it each time that they are read.
   *
   * @param name What messages call it.
   * @param weight A matrix of floating-point numbers.
   */
  quantized(name: string, weight: StoredWeight, how: BlockEncoding): StoredWeight {
    const { shape } = weight;
    return weightOfBlocks(shape, {
      ...how,
      load: async () => {
        const from = await taskOf(weight);
        try {
          return await this.#workers.run({ from, shape, encoding: how }, { another: sizeOf(shape) >= worthWorker });
        } catch (error) {
          const reason = (error as Error).message;
          throw new FormatError(`Cannot read "${name}": ${reason}`, { tensor: name }, { cause: error });
        }
      },
    });
  }
}

/** What is encoded: a place in a file, which a worker reads by itself, or numbers that are the task's own. */
async function taskOf(weight: StoredWeight): Promise<EncodeTask["from"]> {
  const region = float32Region(weight);
  if (region) {
    region.check?.();
    return { path: region.path, offset: region.offset };
  }
  const { dataType, data } = await weight.load();
  // Only what was just read from a file is nobody else's, and may be given away to a worker.
  return { dataType, data: weight.region && data.byteLength === data.buffer.byteLength ? data : data.slice() };
}
