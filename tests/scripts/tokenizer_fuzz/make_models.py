"""Trains the SentencePiece models that the other scripts take, into models/ of the working directory."""

import sentencepiece as spm, io, os
from texts import BASE

os.makedirs("models", exist_ok=True)
import sentencepiece.sentencepiece_model_pb2 as pb

for rule in ["nmt_nfkc", "nmt_nfkc_cf", "nfkc", "nfkc_cf", "identity"]:
    for mt, kw in [
        ("unigram", {}),
        ("unigram", {"byte_fallback": True}),
        ("bpe", {}),
        ("bpe", {"byte_fallback": True}),
        ("unigram", {"user_defined_symbols": ["<uds>", "foo"], "control_symbols": ["<ctl>"]}),
        ("unigram", {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}),
        ("unigram", {"remove_extra_whitespaces": False, "add_dummy_prefix": False}),
    ]:
        f = io.BytesIO()
        name = f"models/{rule}-{mt}-{'-'.join(kw) or 'plain'}.model"
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(BASE * 20),
            model_writer=f,
            vocab_size=560 if "byte_fallback" in kw else 320,
            model_type=mt,
            normalization_rule_name=rule,
            character_coverage=0.98,
            hard_vocab_limit=False,
            minloglevel=2,
            **kw,
        )
        open(name, "wb").write(f.getvalue())
        m = pb.ModelProto()
        m.ParseFromString(f.getvalue())
        if m.normalizer_spec.precompiled_charsmap:
            open(f"models/{rule}.charsmap", "wb").write(m.normalizer_spec.precompiled_charsmap)
