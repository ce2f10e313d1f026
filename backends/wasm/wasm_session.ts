// Sessions in WebAssembly, and the values that their runs are given.
import { OrtError } from "../../src/errors/mod.ts";
import type { Bindable, RunControl, RuntimeSession, SessionBinding } from "../onnx/session/mod.ts";
import type { OrtInstance } from "./ort_instance.ts";

/** An OrtSession. */
export class WasmSession implements RuntimeSession {
  /** @param weightBytes The bytes of weights that it has copied. */
  constructor(
    readonly runtime: OrtInstance,
    readonly handle: number,
    readonly name: string,
    readonly weightBytes: number,
  ) {
    runtime.counters.weightBytes += weightBytes;
    runtime.counters.deviceBytes += weightBytes;
  }

  bind(): SessionBinding {
    return new WasmBinding(this);
  }

  release(): void {
    const { ort, counters } = this.runtime;
    ort._OrtReleaseSession(this.handle);
    counters.weightBytes -= this.weightBytes;
    counters.deviceBytes -= this.weightBytes;
  }
}

/** What stops a stream: a run that is under way cannot be stopped, those after it are refused. */
export class StopFlag implements RunControl {
  stopped = false;

  stop(): void {
    this.stopped = true;
  }

  release(): void {}
}

/** Names with their values, as two arrays of pointers in memory. */
class Values {
  readonly names: number[] = [];
  readonly handles: number[] = [];
  readonly #places = new Map<string, number>();

  set(name: string, handle: number, text: (name: string) => number): void {
    const place = this.#places.get(name) ?? this.names.length;
    if (place === this.names.length) {
      this.#places.set(name, place);
      this.names.push(text(name));
    }
    this.handles[place] = handle;
  }
}

/** The values of one use of a session. All outputs are bound: none is allocated by a run. */
class WasmBinding implements SessionBinding {
  readonly #inputs = new Values();
  readonly #outputs = new Values();

  constructor(readonly session: WasmSession) {}

  input(name: string, value: Bindable): void {
    this.#inputs.set(name, (value as Bindable & { handle: number }).handle, (text) => this.session.runtime.text(text));
  }

  output(name: string, value: Bindable): void {
    this.#outputs.set(name, (value as Bindable & { handle: number }).handle, (text) => this.session.runtime.text(text));
  }

  async run(control: RunControl): Promise<void> {
    const { runtime, handle, name } = this.session;
    await runtime.takeTurns();
    const what = `run ${name}`;
    if ((control as StopFlag).stopped) {
      throw new OrtError(`Cannot ${what}: it was stopped`, 1, { backend: "wasm" });
    }
    const { ort } = runtime;
    const stack = ort.stackSave();
    const put = (pointers: readonly number[]) => {
      const address = ort.stackAlloc(4 * pointers.length);
      ort.HEAPU32.set(pointers, address / 4);
      return address;
    };
    try {
      const [inputs, outputs] = [this.#inputs, this.#outputs];
      const names = [put(inputs.names), put(outputs.names)];
      const handles = [put(inputs.handles), put(outputs.handles)];
      const counts = [inputs.names.length, outputs.names.length];
      runtime.check(
        runtime.call(
          what,
          () => ort._OrtRun(handle, names[0], handles[0], counts[0], names[1], counts[1], handles[1], 0),
        ),
        what,
      );
    } finally {
      ort.stackRestore(stack);
    }
  }

  release(): void {
    for (const { names } of [this.#inputs, this.#outputs]) {
      for (const name of names.splice(0)) this.session.runtime.ort._free(name);
    }
  }
}
