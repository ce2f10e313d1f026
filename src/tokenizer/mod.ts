// Tokenizers: text to token ids and back.
export { AutoTokenizer } from "./auto_tokenizer.ts";
export type {
  BatchEncoding,
  DecodeOptions,
  EncodeBatchOptions,
  EncodeOptions,
  Encoding,
  Tokenizer,
} from "./tokenizer.ts";
export type { TokenizerFiles } from "./files/tokenizer_files.ts";
