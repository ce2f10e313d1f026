// Published figures of real checkpoints, from Transformers' integration tests and documentation, and of stand-ins with
// which the suite itself is tested. Logits are those of the first decoder position, the first of the vocabulary.

/** A picture: at an address, or of a data set on the Hub. */
export type PicturePlace = string | {
  readonly dataset: string;
  readonly split: string;
  readonly row: number;
} | { readonly dataset: string; readonly file: string };

/** What a checkpoint must compute. */
export interface HubCase {
  readonly model: string;
  /** Whose image processor and tokenizer are taken. @default the model's */
  readonly processor?: string;
  readonly picture: PicturePlace;
  /** The decoder's ids for the logits; a text is given as its tokens. @default the start token */
  readonly prompt?: string | readonly number[];
  readonly logits?: readonly number[];
  /** The logits' length, the vocabulary. */
  readonly vocabulary?: number;
  readonly beams?: number;
  readonly maxLength?: number;
  /** The text, or how it begins, special tokens left out; with `tags`, with them but for those at the ends. */
  readonly text?: string;
  readonly begins?: boolean;
  readonly tags?: boolean;
  /** The decoder's ids for the text, as tokens. @default as `prompt` */
  readonly textPrompt?: string;
  /** The score of the beam, within 1e-4. */
  readonly score?: number;
  /** The loss against a label, within `tolerance`. */
  readonly label?: string;
  readonly loss?: number;
  /** @default 1e-4 */
  readonly tolerance?: number;
}

const cats = "http://images.cocodataset.org/val2017/000000039769.jpg";
const iam = "https://fki.tic.heia-fr.ch/static/img/a01-122-02.jpg";
const ocr = (row: number) => ({ dataset: "hf-internal-testing/fixtures_ocr", split: "train", row });
const documents = (row: number) => ({ dataset: "hf-internal-testing/example-documents", split: "test", row });

/** What `deno task test:hub` checks on a connected machine. */
export const publishedCases: readonly HubCase[] = [
  {
    model: "nlpconnect/vit-gpt2-image-captioning",
    picture: cats,
    text: "a cat laying on a blanket next to a cat laying on a bed",
  },
  {
    model: "ydshieh/vit-gpt2-coco-en",
    picture: cats,
    logits: [
      ...[-38.705807, -30.639929, -31.41903, -39.012012, -38.38696, -34.887207, -33.290855, -35.68447, -38.508484],
      -36.124645,
    ],
    beams: 4,
    maxLength: 16,
    text: "a cat laying on top of a couch next to another cat",
    score: -0.5956343,
  },
  {
    model: "microsoft/trocr-base-handwritten",
    picture: ocr(1),
    logits: [-1.4502, -4.6683, -0.5347, -2.9291, 9.1435, -3.0571, 8.9764, 1.7560, 8.7358, -1.5311],
  },
  {
    model: "microsoft/trocr-base-printed",
    processor: "microsoft/trocr-base-handwritten",
    picture: ocr(0),
    logits: [-5.6832, -5.8361, 1.1500, -6.8975, 6.8576, -2.4450, 1.2335, -1.0246, -1.9654, -3.9127],
  },
  {
    model: "microsoft/trocr-base-handwritten",
    picture: iam,
    text: `industry, " Mr. Brown commented icily. " Let us have a`,
    label: `industry, ' Mr. Brown commented icily. ' Let us have a`,
    loss: 5.30,
    tolerance: 5e-3,
  },
  {
    model: "naver-clova-ix/donut-base-finetuned-docvqa",
    picture: documents(0),
    prompt: "<s_docvqa>",
    vocabulary: 57532,
    logits: [24.4076, -6.4491, 32.5508],
    textPrompt: "<s_docvqa><s_question>When is the coffee break?</s_question><s_answer>",
    tags: true,
    text: "<s_question> When is the coffee break?</s_question><s_answer> 11-14 to 11:39 a.m.</s_answer>",
  },
  {
    model: "naver-clova-ix/donut-base-finetuned-cord-v2",
    picture: documents(2),
    prompt: "<s_cord-v2>",
    logits: [-27.4535, -3.2694, -19.3709],
    tags: true,
    begins: true,
    text: "<s_menu><s_nm> CINNAMON SUGAR</s_nm><s_unitprice> 17,000</s_unitprice><s_cnt> 1 x</s_cnt><s_price> 17,000" +
      "</s_price></s_menu>",
  },
  {
    model: "naver-clova-ix/donut-base-finetuned-rvlcdip",
    picture: documents(1),
    prompt: "<s_rvlcdip>",
    logits: [-17.3262, -4.7116, -15.4603],
    tags: true,
    text: "<s_class><advertisement/></s_class>",
  },
  {
    model: "facebook/nougat-base",
    picture: { dataset: "hf-internal-testing/fixtures_docvqa", file: "nougat_pdf.png" },
    prompt: [0],
    logits: [0.7833, -5.6850, 6.3481, -2.6374, -3.7133, -3.5301, -3.0477, -3.7152, -3.9122, -4.0574],
    begins: true,
    text: "# Nougat: Neural Optical Understanding for Academic Documents",
  },
];

/** What the embedded model computes of `line.png` in Transformers (tests/scripts/make_hub_standins.py). */
export const standIns: readonly HubCase[] = [
  {
    model: "standin/captioner",
    picture: "line.png",
    logits: [-8.0087, -8.0751, 1.5227, -7.934, -0.3646, 1.5805, -6.9561, -7.6549, -7.719, -3.3196],
    vocabulary: 260,
    beams: 4,
    maxLength: 16,
    text: "ninth century Z",
    score: -0.0005275390576571226,
  },
  {
    model: "standin/captioner",
    processor: "standin/processor",
    picture: { dataset: "standin/pictures", split: "train", row: 1 },
    prompt: [2],
    logits: [-8.0087, -8.0751],
    text: "ninth century",
    begins: true,
    label: "ninth century Zen master",
    loss: 1.1145514249801636,
  },
  {
    model: "standin/captioner",
    picture: { dataset: "standin/pictures", file: "line.png" },
    text: "ninth century Zen master",
  },
];
