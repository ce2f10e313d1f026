// A worker that hangs once it has work, as one does that waits for a GPU: it hears nothing any more. Not for ever, so that a test
// process may end.
const scope = self as unknown as { onmessage: (event: MessageEvent) => void; postMessage(answer: unknown): void };
scope.onmessage = ({ data: { kind } }) => {
  if (kind === "open") scope.postMessage({ kind: "opened", generationConfig: {}, device: "none" });
  if (kind === "run") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4000);
};
