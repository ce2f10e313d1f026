// A weight in blocks of few bits, made of one in full precision while it is read, or read from a file that holds the blocks.
import { FormatError } from "../errors/mod.ts";
import { WorkerPool, type WorkerRole } from "../async/worker_pool.ts";
import { Tensor } from "../tensor/mod.ts";
import { type BlockEncoding, type Blocks, decodeBlocks } from "./block_encoding.ts";
import { type Encoded, type EncodeTask, encodeTensor } from "./encode_tensor.ts";
import type { StoredBlocks, StoredWeight } from "./stored_weight.ts";

const encoding: WorkerRole<EncodeTask, Encoded, Blocks> = {
  script: new URL("./encode_worker.ts", import.meta.url),
  transfer: ({ data }) => [data.buffer as ArrayBuffer],
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
        const { dataType, data } = await weight.load();
        // Only what was just read from a file is nobody else's, and may be given away to a worker.
        const own = weight.region && data.byteLength === data.buffer.byteLength ? data : data.slice();
        const task = { dataType, data: own, shape, encoding: how };
        try {
          return await this.#workers.run(task, { another: own.length >= worthWorker });
        } catch (error) {
          const reason = (error as Error).message;
          throw new FormatError(`Cannot read "${name}": ${reason}`, { tensor: name }, { cause: error });
        }
      },
    });
  }
}

/** A weight of which there are only blocks. */
export function weightOfBlocks(shape: readonly number[], blocks: StoredBlocks): StoredWeight {
  return {
    dataType: "float32",
    shape,
    blocks,
    load: async () => new Tensor("float32", shape, decodeBlocks(await blocks.load(), shape, blocks)),
  };
}

/** A weight in blocks as one of float32, which is decoded when it is read. */
export function decodedWeight({ dataType, shape, load }: StoredWeight): StoredWeight {
  return { dataType, shape, load };
}
