// What a model asks of a device, in numbers that a speed can be held against.

/** The work of a model: what a picture costs, and what each token of its text does. */
export interface ModelWork {
  /** Multiplications and additions of the encoder, and of the keys and values that the decoder has of its states. */
  readonly pictureOperations: number;
  /** The products among them: with a weight, or of two tensors. */
  readonly pictureProducts: number;
  /** Bytes of weights that a token reads. */
  readonly tokenBytes: number;
  /** The products of a token. */
  readonly tokenProducts: number;
}
