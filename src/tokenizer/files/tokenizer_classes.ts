// Transformers' tokenizer classes by name. For one of these, version 5 uses only the vocabulary, the merges and the character
// map of a tokenizer.json; all else follows from the class and its options.
import { bert, gpt2, herbert, llama, nougat, roberta } from "./subword_classes.ts";
import type { TokenizerClass } from "./tokenizer_class.ts";
import { barthez, camembert, debertaV2, mbart, mbart50, t5, xlmRoberta, xlnet } from "./unigram_classes.ts";

/** Transformers' classes by name; several names stand for the same one. */
export const tokenizerClasses: Readonly<Record<string, TokenizerClass>> = {
  BartTokenizer: roberta,
  BarthezTokenizer: barthez,
  BertTokenizer: bert,
  CamembertTokenizer: camembert,
  ConvBertTokenizer: { ...bert, takesWholeFile: true },
  DebertaV2Tokenizer: debertaV2,
  DistilBertTokenizer: bert,
  ElectraTokenizer: bert,
  GPT2Tokenizer: gpt2,
  HerbertTokenizer: herbert,
  LayoutLMTokenizer: bert,
  LEDTokenizer: roberta,
  LlamaTokenizer: llama,
  LongformerTokenizer: roberta,
  LxmertTokenizer: bert,
  MBart50Tokenizer: mbart50,
  MBartTokenizer: mbart,
  MobileBertTokenizer: bert,
  MvpTokenizer: roberta,
  NougatTokenizer: nougat,
  RobertaTokenizer: roberta,
  SqueezeBertTokenizer: bert,
  T5Tokenizer: t5,
  XLMRobertaTokenizer: xlmRoberta,
  XLNetTokenizer: xlnet,
};

/** The class for a model's type, for repositories in which no file names a class. */
export const classOfModel: Readonly<Record<string, string>> = {
  bart: "RobertaTokenizer",
  bert: "BertTokenizer",
  camembert: "CamembertTokenizer",
  convbert: "BertTokenizer",
  "deberta-v2": "DebertaV2Tokenizer",
  distilbert: "BertTokenizer",
  electra: "BertTokenizer",
  gpt2: "GPT2Tokenizer",
  mbart: "MBartTokenizer",
  roberta: "RobertaTokenizer",
  t5: "T5Tokenizer",
  trocr: "XLMRobertaTokenizer",
  "xlm-roberta": "XLMRobertaTokenizer",
  xlnet: "XLNetTokenizer",
};
