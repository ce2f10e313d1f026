"""Makes tests/fixtures/field/donut/{docvqa,rvlcdip,nougat}: models that write one text whatever the picture, with what
Python makes of it. Their decoders know positions only: the head answers each with the token of its place. Of cord, which
is there already, what Python makes of it is written.

    python tests/scripts/make_documents.py
"""

import json
import re
from pathlib import Path

import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
import transformers as t

OUT = Path(__file__).resolve().parents[1] / "fixtures" / "field" / "donut"
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
PIECES = ["▁"] + list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,?#*|-\n")


def new_tokenizer(tags, special):
    """One piece a character, with tags: special ones, or such as Donut's own repositories have, which are none."""
    vocabulary = [(token, 0.0) for token in SPECIAL] + [(piece, -1.0) for piece in PIECES]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    fast = t.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>",
                                     unk_token="<unk>", cls_token="<s>", sep_token="</s>")
    fast.add_tokens(tags, special_tokens=special)
    return fast


def new_model(tokenizer, prompt, text, start):
    encoder = t.DonutSwinConfig(image_size=[32, 32], embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4)
    decoder = t.MBartConfig(vocab_size=len(tokenizer), d_model=96, decoder_layers=1, decoder_attention_heads=2,
                            decoder_ffn_dim=8, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=8,
                            max_position_embeddings=96, tie_word_embeddings=False, is_encoder_decoder=False)
    config = t.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.tie_word_embeddings = False
    config.pad_token_id, config.eos_token_id = 1, 2
    config.decoder.bos_token_id = None
    model = t.VisionEncoderDecoderModel(config).eval()
    core = model.decoder.model.decoder
    for name, parameter in core.named_parameters():
        if "embed_positions" in name:
            parameter.data = torch.randn_like(parameter)
        elif "norm" not in name:
            parameter.data.zero_()
    written = tokenizer(text, add_special_tokens=False).input_ids + [2]
    given = tokenizer(prompt, add_special_tokens=False).input_ids
    with torch.no_grad():
        states = core(input_ids=torch.zeros(1, len(given) + len(written), dtype=torch.long),
                      encoder_hidden_states=torch.zeros(1, 4, 96)).last_hidden_state[0]
        head = model.decoder.lm_head.weight.data.zero_()
        for place, token in enumerate(written):
            head[token] += states[len(given) - 1 + place]
    model.generation_config = t.GenerationConfig(decoder_start_token_id=start, pad_token_id=1, eos_token_id=2,
                                                 max_length=96)
    model.config.decoder_start_token_id = start
    return model


def make(name, prompt, text, tags, processor, special=False, starts=False):
    folder = OUT / name
    tokenizer = new_tokenizer(tags, special)
    model = new_model(tokenizer, prompt, text, tokenizer.convert_tokens_to_ids(prompt) if starts else None)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    processor.save_pretrained(folder)
    write_golden(folder, prompt, model, tokenizer, processor)


def write_golden(folder, prompt, model, tokenizer, processor):
    white = Image.open(OUT / "white.png").convert("RGB")
    pixels = processor(white, return_tensors="pt").pixel_values
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids
    row = model.generate(pixels, decoder_input_ids=ids, decoder_start_token_id=ids[0, 0].item())[0]
    # As Donut's own repositories say it is read.
    sequence = tokenizer.batch_decode([row])[0].replace(tokenizer.eos_token, "").replace(tokenizer.pad_token, "")
    golden = {"prompt": prompt, "ids": row.tolist(),
              "text": tokenizer.decode(row[ids.shape[1]:], skip_special_tokens=True)}
    if isinstance(processor, t.DonutImageProcessor):
        donut = t.DonutProcessor(image_processor=processor, tokenizer=tokenizer)
        golden["json"] = donut.token2json(re.sub(r"<.*?>", "", sequence, count=1).strip())
    else:
        golden["markdown"] = t.NougatTokenizer().post_process_generation(golden["text"])
    (folder / "golden.json").write_text(json.dumps(golden))
    print(folder.name, golden)


def read_again(name, prompt):
    folder = OUT / name
    write_golden(folder, prompt, t.VisionEncoderDecoderModel.from_pretrained(folder).eval(),
                 t.AutoTokenizer.from_pretrained(folder), t.DonutImageProcessor.from_pretrained(folder))


def main():
    torch.manual_seed(14)
    size = {"height": 32, "width": 32}
    donut = t.DonutImageProcessor(size=size, do_align_long_axis=False)
    make("docvqa", "<s_docvqa><s_question>What is the total?</s_question><s_answer>", "7,500</s_answer>",
         ["<s_docvqa>", "<s_question>", "</s_question>", "<s_answer>", "</s_answer>", "<s_iitcdip>"], donut)
    make("rvlcdip", "<s_rvlcdip>", "<s_class><invoice/></s_class>",
         ["<s_rvlcdip>", "<s_class>", "</s_class>", "<invoice/>", "<letter/>"], donut, special=True, starts=True)
    make("nougat", "<s>", "# Results\n\nA **bold** one.", [], t.NougatImageProcessor(size=size, do_crop_margin=False),
         starts=True)
    read_again("cord", "<s_cord-v2>")


if __name__ == "__main__":
    main()
