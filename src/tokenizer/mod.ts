// Tokenizers: text to token ids and back.
export { AutoTokenizer, type TokenizerFiles } from "./auto_tokenizer.ts";
export type {
  BatchEncoding,
  DecodeOptions,
  EncodeBatchOptions,
  EncodeOptions,
  Encoding,
  Tokenizer,
} from "./tokenizer.ts";
