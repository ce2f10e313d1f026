"""Makes tests/fixtures/field/orientation: pictures that lie on their side, and what Pillow's exif_transpose makes of each.

    python tests/scripts/make_orientation.py
"""

import json
import struct
from pathlib import Path

from PIL import Image, ImageOps, PngImagePlugin

OUT = Path(__file__).resolve().parents[1] / "fixtures" / "field" / "orientation"
XMP = "XML:com.adobe.xmp"


def xmp(value, element=False):
    said = f"<tiff:Orientation>{value}</tiff:Orientation>" if element else ""
    attribute = "" if element else f' tiff:Orientation="{value}"'
    return (f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            f'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"{attribute}>{said}</rdf:Description>'
            f'</rdf:RDF></x:xmpmeta>')


def exif(value, kind="H", little=True):
    """EXIF with an orientation of type SHORT ("H"), LONG ("L") or their signed kinds, in either order of bytes."""
    order = "<" if little else ">"
    number = {"H": 3, "L": 4, "h": 8, "l": 9}[kind]
    field = struct.pack(order + kind, value).ljust(4, b"\0")
    return (b"Exif\0\0" + (b"II" if little else b"MM") + struct.pack(order + "HLH", 42, 8, 1)
            + struct.pack(order + "HHL", 0x0112, number, 1) + field + struct.pack(order + "L", 0))


def raw_profile(data):
    return f"\nexif\n{len(data):8}\n" + "".join(data.hex()[i:i + 72] + "\n" for i in range(0, 2 * len(data), 72))


def texts(*entries):
    info = PngImagePlugin.PngInfo()
    for kind, key, value in entries:
        if kind == "iTXt":
            info.add_itxt(key, value)
        elif kind == "iTXt, compressed":
            info.add_itxt(key, value, zip=True)
        else:
            info.add_text(key, value, zip=kind == "zTXt")
    return {"pnginfo": info}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    small = Image.new("RGB", (5, 3))
    small.putdata([(16 * x, 60 * y, 255 - 16 * x) for y in range(3) for x in range(5)])
    large = small.resize((40, 24), Image.Resampling.NEAREST)
    cases = {
        "xmp_attribute.jpg": {"xmp": xmp(6).encode()},
        "xmp_element.jpg": {"xmp": xmp(8, element=True).encode()},
        "xmp_without_value.jpg": {"xmp": xmp("").encode()},
        "exif_long.jpg": {"exif": exif(6, "L")},
        "exif_long_big.jpg": {"exif": exif(5, "L", little=False)},
        "exif_signed.jpg": {"exif": exif(7, "h")},
        "exif_first.jpg": {"exif": exif(3), "xmp": xmp(6).encode()},
        "exif_upright_first.jpg": {"exif": exif(1), "xmp": xmp(6).encode()},
        "exif_zero_first.jpg": {"exif": exif(0), "xmp": xmp(6).encode()},
        "xmp.png": texts(("iTXt", XMP, xmp(6))),
        "xmp_compressed.png": texts(("iTXt, compressed", XMP, xmp(8))),
        "xmp_text.png": texts(("tEXt", XMP, xmp(3))),
        "raw_profile.png": texts(("zTXt", "Raw profile type exif", raw_profile(exif(6)))),
        "raw_profile_plain.png": texts(("tEXt", "Raw profile type exif", raw_profile(exif(8, "L", little=False)))),
        "raw_profile_and_xmp.png": texts(("zTXt", "Raw profile type exif", raw_profile(exif(3))), ("iTXt", XMP, xmp(6))),
        "exif_and_raw_profile.png": {"exif": exif(2)[6:],
                                     **texts(("zTXt", "Raw profile type exif", raw_profile(exif(6))))},
        "other_texts.png": texts(("zTXt", "Comment", "tiff:Orientation=\"6\""), ("iTXt", "Title", "Exif")),
        "xmp.webp": {"xmp": xmp(6).encode(), "lossless": True},
        "exif_long.webp": {"exif": exif(8, "L"), "lossless": True},
    }
    golden = {}
    for name, options in cases.items():
        (large if name.endswith("jpg") else small).save(OUT / name, **options)
        upright = ImageOps.exif_transpose(Image.open(OUT / name)).convert("RGB")
        golden[name] = {"size": upright.size, "rgb": list(upright.tobytes())}
    (OUT / "golden.json").write_text(json.dumps(golden, separators=(",", ":")))


if __name__ == "__main__":
    main()
