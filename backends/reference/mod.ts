// The reference backend: a plain interpreter of the primitives, with which the other backends are compared.
// It runs work when it is queued; an error is still thrown by the stream's next read, as on a device.
import type { Backend, BackendDetails, BackendReport } from "../../src/graph/mod.ts";
import { ReferenceBackend } from "./backend.ts";

/** Load the reference backend; it runs everywhere. */
export function load(): Promise<Backend> {
  return Promise.resolve(new ReferenceBackend());
}

/** The reference backend has no details to report. */
export function inspect(): Promise<BackendDetails> {
  return Promise.resolve({});
}

/** The reference backend is always available. */
export function report(): Promise<BackendReport> {
  return Promise.resolve({ name: "reference", available: true, device: "plain TypeScript", reason: "" });
}
