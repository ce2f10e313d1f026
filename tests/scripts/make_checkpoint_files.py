"""Writes the files of tests/fixtures/checkpoints that torch.save can write and the model fixtures do not show: every data
type, other pickle protocols, legacy files with views, a state_dict with attributes, a compressed archive. Run it from the
project's root, then make_checkpoint_golden.py."""

import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file

FOLDER = Path("tests/fixtures/checkpoints")
TYPES = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()


def tensors():
    generator = torch.Generator().manual_seed(7)
    made = OrderedDict()
    for name in TYPES:
        values = (torch.randn(3, 5, generator=generator) * 40).to(getattr(torch, name))
        made[name] = values
        made[f"{name}.t"] = values.t()
        made[f"{name}.step"] = values[1:, ::2]
    made["expanded"] = made["float32"][:, :1].expand(3, 4)
    made["deep"] = torch.arange(120.0).reshape(2, 3, 4, 5).permute(3, 1, 0, 2)
    made["tied"] = made["float32"]
    made["special"] = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 1e-45])
    made["tokens/ü.0"] = torch.tensor(5)
    made["none"] = torch.empty(2, 0, 3)
    return made


def state_dict():
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2), torch.nn.BatchNorm1d(2))
    torch.manual_seed(3)
    torch.nn.init.normal_(model[0].weight)
    marked = torch.nn.Parameter(torch.arange(4.0))
    marked.note = "an attribute makes torch write _rebuild_from_type_v2"
    optimizer = {"state": {0: {"step": torch.tensor(3.0)}}, "groups": [{"params": [0, 1], "betas": (0.9, 0.999)}]}
    return {"model": model.state_dict(), "marked": marked, "optimizer": optimizer, "epoch": 2**70, "list": [torch.ones(2)]}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.save(tensors(), FOLDER / "types_zip.bin")
    own = {name: tensor.clone().contiguous() for name, tensor in tensors().items()}
    save_file(own, FOLDER / "types.safetensors", metadata={"format": "pt"})
    save_file(own, FOLDER / "no_metadata.safetensors")
    torch.save(tensors(), FOLDER / "types_legacy.bin", _use_new_zipfile_serialization=False)
    for protocol in (2, 3, 4, 5):
        torch.save(state_dict(), FOLDER / f"nested_protocol{protocol}.bin", pickle_protocol=protocol)
    torch.save(state_dict(), FOLDER / "nested_legacy.bin", _use_new_zipfile_serialization=False)
    torch.serialization.set_crc32_options(False)
    torch.save(tensors(), FOLDER / "types_no_crc.bin")
    torch.serialization.set_crc32_options(True)
    with zipfile.ZipFile(FOLDER / "types_zip.bin") as old, zipfile.ZipFile(FOLDER / "types_deflated.bin", "w") as new:
        for entry in old.infolist():
            new.writestr(zipfile.ZipInfo(entry.filename), old.read(entry), compress_type=zipfile.ZIP_DEFLATED)


main()
