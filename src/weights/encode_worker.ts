// The script of the workers that quantise: each message is a matrix, each answer its blocks.
import { type Encoded, type EncodeTask, encodeTensor } from "./encode_tensor.ts";

/** The part of a worker's global object that is used; deno.json's compiler options have no types for workers. */
interface WorkerScope {
  onmessage: (event: MessageEvent<EncodeTask>) => void;
  postMessage(answer: Encoded | "ready", transfer?: Transferable[]): void;
}
const scope = globalThis as unknown as WorkerScope;
scope.onmessage = ({ data }) => {
  const encoded = encodeTensor(data);
  scope.postMessage(encoded, "codes" in encoded ? [encoded.codes.buffer, encoded.scales.buffer] : []);
};
scope.postMessage("ready");
