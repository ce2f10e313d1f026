// A start of ONNX Runtime in WebAssembly: its memory, its errors, and turns for others. A call of it ends before JavaScript goes on:
// nothing else runs in the meantime, and timers and other callers get their turns between runs.
import { takeTurn } from "../../src/async/delay.ts";
import { OrtError } from "../../src/errors/mod.ts";
import { RuntimeLife } from "../onnx/session/mod.ts";
import type { OrtModule } from "./ort_module.ts";

/** For how long runs may keep timers and other callers waiting, in milliseconds. */
const turnMilliseconds = 10;

/** One start of ONNX Runtime, with a memory of its own. */
export class OrtInstance extends RuntimeLife {
  readonly name = "wasm";
  #ort: OrtModule | undefined;
  #lastTurn = performance.now();

  constructor(ort: OrtModule) {
    super();
    this.#ort = ort;
  }

  /** The exports. */
  get ort(): OrtModule {
    this.#ort ?? this.checkOpen();
    return this.#ort!;
  }

  /** Give timers and other callers a turn, where runs have kept them waiting. */
  async takeTurns(): Promise<void> {
    if (performance.now() - this.#lastTurn < turnMilliseconds) return;
    await takeTurn();
    this.#lastTurn = performance.now();
  }

  /** Call a function that may trap, as it does where memory is short. */
  call(what: string, call: () => number): number {
    try {
      return call();
    } catch (error) {
      const reason = error instanceof Error ? error.message : `error ${error}`;
      throw new OrtError(`Cannot ${what}: WebAssembly says: ${reason}`, 1, { backend: "wasm", cause: error });
    }
  }

  /** @throws {OrtError} If a function returned an error code. */
  check(code: number, what: string): void {
    if (code !== 0) this.fail(what);
  }

  /** @throws {OrtError} What went wrong last. */
  fail(what: string): never {
    const { ort } = this;
    const stack = ort.stackSave();
    const at = ort.stackAlloc(8);
    ort._OrtGetLastError(at, at + 4);
    const [code, message] = ort.HEAPU32.subarray(at / 4, at / 4 + 2);
    ort.stackRestore(stack);
    const text = message === 0 ? "nothing" : ort.UTF8ToString(message);
    throw new OrtError(`Cannot ${what}: ONNX Runtime says: ${text}`, code, { backend: "wasm" });
  }

  /** Memory of so many bytes, to be freed. */
  memory(bytes: number, what: string): number {
    // A larger number would lose its upper bits.
    const address = bytes < 2 ** 32 ? this.call(what, () => this.ort._malloc(bytes)) : 0;
    if (address !== 0) return address;
    const reason = `WebAssembly's memory, of 4 GB at most, has no room for ${bytes} bytes`;
    throw new OrtError(`Cannot ${what}: ${reason}`, 1, { backend: "wasm" });
  }

  /** A copy of bytes, to be freed. */
  copy(bytes: Uint8Array, what: string): number {
    const address = this.memory(bytes.length, what);
    this.ort.HEAPU8.set(bytes, address);
    return address;
  }

  /** A C string, to be freed. */
  text(text: string): number {
    return this.copy(new TextEncoder().encode(text + "\0"), "pass a name");
  }

  protected finish(): void {
    this.#ort = undefined;
  }
}
