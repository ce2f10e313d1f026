// What runs in a worker of zip.ts: packed bytes come in, inflated ones go out, one entry after the other.
import { inflate, type Inflated, type Packed } from "./inflate.ts";

/** What is used of a worker's global object, for which the project's other files have no types. */
interface WorkerScope {
  onmessage: (event: MessageEvent<Packed>) => void;
  postMessage(answer: Inflated | "ready", transfer?: Transferable[]): void;
}
const scope = globalThis as unknown as WorkerScope;
scope.onmessage = ({ data }) => {
  const inflated = inflate(data);
  scope.postMessage(inflated, "bytes" in inflated ? [inflated.bytes.buffer] : []);
};
scope.postMessage("ready");
