// @huggingface/tokenizers: the parts of its tokenizer that Limner's are made of.
export {
  ByteLevelPreTokenizer,
  ReplaceNormalizer,
  SplitPreTokenizer,
  StripDecoder,
  WordPiece,
} from "npm:@huggingface/tokenizers@0.2.0";
