// The generation settings of a model, as generation_config.json has them.

/** Generation settings with generation_config.json's keys; absent and null both mean unset. */
export interface GenerationConfig {
  /** Whatever else the file has, by its own key. */
  [key: string]: unknown;
  /** The most tokens of a text, the prompt included. */
  max_length?: number | null;
  /** The most tokens that are added to the prompt. */
  max_new_tokens?: number | null;
  /** The tokens that end a text. */
  eos_token_id?: number | number[] | null;
  /** The token that fills rows which have ended. */
  pad_token_id?: number | null;
  /** The token that begins a text, where none of the decoder's own does. */
  bos_token_id?: number | null;
  /** The token that the decoder begins with. */
  decoder_start_token_id?: number | null;
}
