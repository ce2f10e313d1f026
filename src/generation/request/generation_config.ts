// The generation settings of a model, as generation_config.json has them.

/** Generation settings with generation_config.json's keys; absent and null both mean unset. */
export interface GenerationConfig {
  [key: string]: unknown;
  max_length?: number | null;
  max_new_tokens?: number | null;
  eos_token_id?: number | number[] | null;
  pad_token_id?: number | null;
  bos_token_id?: number | null;
  decoder_start_token_id?: number | null;
}
