// The script of zip.ts's workers: each message is a compressed entry, each answer the inflated one.
import { type CompressedEntry, inflate, type Inflated } from "./inflate.ts";

/** The part of a worker's global object that is used; deno.json's compiler options have no types for workers. */
interface WorkerScope {
  onmessage: (event: MessageEvent<CompressedEntry>) => void;
  postMessage(answer: Inflated | "ready", transfer?: Transferable[]): void;
}
const scope = globalThis as unknown as WorkerScope;
scope.onmessage = ({ data }) => {
  const inflated = inflate(data);
  scope.postMessage(inflated, "bytes" in inflated ? [inflated.bytes.buffer] : []);
};
scope.postMessage("ready");
