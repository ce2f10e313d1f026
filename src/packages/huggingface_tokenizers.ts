// @huggingface/tokenizers: those of its parts that Limner's tokenizers use.
export { ReplaceNormalizer, SplitPreTokenizer, StripDecoder, WordPiece } from "npm:@huggingface/tokenizers@0.2.0";
