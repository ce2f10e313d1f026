// Every error that Limner throws on purpose: a subclass of LimnerError that carries data, not only a message.
// A message reads: what cannot be done, a colon, what was found and what was expected.

/** The base of all errors that Limner throws on purpose. */
export class LimnerError extends Error {
  /** The name of the error's class. */
  override name: string = this.constructor.name;
}

/** A file or byte sequence is not what its format requires. */
export class FormatError extends LimnerError {
  /**
   * Say what is wrong with a file.
   *
   * @param message What is wrong.
   * @param details Where: the file, the byte offset, the tensor or key at fault.
   */
  constructor(
    message: string,
    readonly details: { file?: string; offset?: number; tensor?: string; key?: string } = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A configuration lacks a key, or a key has a value that cannot work. */
export class ConfigError extends LimnerError {
  /**
   * Say what is wrong with a configuration.
   *
   * @param message What is wrong.
   * @param key The key at fault, dotted, for example `decoder.hidden_size`.
   */
  constructor(message: string, readonly key?: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** Operands or tensors whose shapes or data types do not fit. */
export class ShapeError extends LimnerError {
  /**
   * Say which shapes do not fit.
   *
   * @param message What is wrong.
   * @param details The operator, its label and the shapes of its operands.
   */
  constructor(
    message: string,
    readonly details: { op?: string; label?: string; shapes?: readonly (readonly (number | string)[])[] } = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** An option that does not exist, or a value it does not take. */
export class OptionError extends LimnerError {}

/** A file or a call asks for more than a limit allows; nothing has been taken for it. */
export class LimitError extends LimnerError {
  /**
   * Say which limit is in the way.
   *
   * @param message What is wrong, and the limit that lets it pass.
   * @param details The limit's name, what was asked for and what is allowed, in the limit's unit, and the key at fault.
   */
  constructor(
    message: string,
    readonly details: {
      readonly limit: string;
      readonly amount: number;
      readonly most: number;
      readonly key?: string;
    },
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A backend that was asked for by name is not available, or cannot do what was asked. */
export class BackendError extends LimnerError {
  /**
   * Say what a backend cannot do.
   *
   * @param message What is wrong.
   * @param backend The backend's name.
   */
  constructor(message: string, readonly backend: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** ONNX Runtime returned a status other than OK. */
export class OrtError extends BackendError {
  /**
   * Say what ONNX Runtime answered.
   *
   * @param message ONNX Runtime's own message, after what was being done.
   * @param code The `OrtErrorCode`.
   * @param options.backend The backend that ONNX Runtime is the runtime of. @default "ffi"
   */
  constructor(message: string, readonly code: number, options: ErrorOptions & { backend?: "ffi" | "wasm" } = {}) {
    super(message, options.backend ?? "ffi", options);
  }
}

/** WebGPU reported a validation, out-of-memory or compilation error. */
export class WebGpuError extends BackendError {
  /** Say what WebGPU answered. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, "webgpu", options);
  }
}

/** The GPU device was lost (reset, driver crash, or destroyed under a running program). */
export class DeviceLostError extends WebGpuError {}

/** Why the Hub, or another place that models come from, did not give what was asked for. */
export type HubErrorCode =
  /** There is no such repository, revision or file, or it is private and was hidden. */
  | "not-found"
  /** It exists, and this user may not have it: a gated repository, a refused token. */
  | "not-allowed"
  /** The server cannot be reached, or its answer was incomplete. */
  | "network"
  /** The answer is not what was announced: it has another hash or length, or is not an answer of a Hub. */
  | "damaged";

/** A model repository could not be reached, or lacks a file. */
export class HubError extends LimnerError {
  /** Why, where that is known. */
  readonly code?: HubErrorCode;

  /**
   * Say what a repository did not give.
   *
   * @param message What is wrong, with the address and the file.
   * @param options The cause, and why in one word.
   */
  constructor(message: string, options: ErrorOptions & { code?: HubErrorCode } = {}) {
    super(message, options);
    this.code = options.code;
  }
}

/** A file or a folder cannot be written: the disk is full, writing is not permitted, its folder is a file. */
export class WriteError extends HubError {
  /**
   * Say what cannot be written.
   *
   * @param message What, and why.
   * @param path The file or the folder.
   */
  constructor(message: string, readonly path: string, options?: ErrorOptions) {
    super(message, options);
  }
}
