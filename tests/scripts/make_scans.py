"""Makes tests/fixtures/images/scans: TIFF, AVIF and PNM files of every kind that is read, and Pillow's pixels of each.

    python tests/scripts/make_scans.py        (needs pillow, numpy, safetensors, tifffile and imagecodecs)

decoded.safetensors has each file's RGB; NAME#2 is the second page of NAME.
"""

import io
import shutil
import struct
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageDraw, ImageOps
from safetensors.numpy import save_file

OUT = Path(__file__).resolve().parents[1] / "fixtures" / "images" / "scans"
WIDTH, HEIGHT = 37, 29
Y, X = np.mgrid[0:HEIGHT, 0:WIDTH]


def colours():
    """Smooth colours, noise and text."""
    rgb = np.stack([(X * 6) % 256, (Y * 8 + X) % 256, 255 - X * 3 - Y], -1).astype(np.uint8)
    rgb[2:9, 4:22] = np.random.default_rng(3).integers(0, 256, (7, 18, 3))
    picture = Image.fromarray(rgb)
    ImageDraw.Draw(picture).text((2, 14), "Nr 42", fill=(0, 0, 0))
    return picture


RGB = colours()
GREY = RGB.convert("L")
BITS = RGB.convert("1")
ALPHA = Image.fromarray(((X * 5 + Y * 3) % 256).astype(np.uint8))


def by_pillow():
    def save(name, picture, **options):
        picture.save(OUT / f"{name}.tif", **options)

    for method in ["group4", "group3", "tiff_ccitt", "packbits", "raw", "tiff_lzw"]:
        save(f"bits_{method}", BITS, compression=method)
    save("bits_g4_strips", BITS, compression="group4", tiffinfo={278: 8})
    save("bits_g3_2d", BITS, compression="group3", tiffinfo={292: 1})
    save("bits_g3_whole_bytes", BITS, compression="group3", tiffinfo={292: 4})
    save("bits_g4_low_bit_first", BITS, compression="group4", tiffinfo={266: 2})
    save("bits_g4_white", BITS, compression="group4", tiffinfo={262: 0})
    save("bits_white", BITS, tiffinfo={262: 0})
    for method in ["raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg"]:
        save(f"rgb_{method}", RGB, compression=method)
    save("grey_jpeg", GREY, compression="jpeg")
    save("grey_lzw_predicted", GREY, compression="tiff_lzw", tiffinfo={317: 2})
    save("rgb_lzw_predicted", RGB, compression="tiff_lzw", tiffinfo={317: 2})
    for method in ["raw", "tiff_lzw", "jpeg"]:
        save(f"cmyk_{method}", RGB.convert("CMYK"), compression=method)
    save("palette_lzw", RGB.quantize(200), compression="tiff_lzw")
    save("palette_raw", RGB.quantize(16))
    save("grey_alpha", Image.merge("LA", [GREY, ALPHA]), compression="tiff_lzw")
    save("rgb_alpha", Image.merge("RGBA", [*RGB.split(), ALPHA]), compression="tiff_adobe_deflate")
    save("grey_float32", Image.fromarray(np.asarray(GREY).astype(np.float32) * 1.5 - 40))
    save("grey_int32", Image.fromarray(np.asarray(GREY).astype(np.int32) * 2 - 40))
    for orientation in range(2, 9):
        save(f"orientation{orientation}", GREY, compression="tiff_lzw", tiffinfo={274: orientation})
    save("pages", RGB, save_all=True, append_images=[BITS, GREY.rotate(90, expand=True)], compression="tiff_lzw")


def by_tifffile():
    rgb, grey = np.asarray(RGB), np.asarray(GREY)
    deep = grey.astype(np.uint16) * 3  # some above 255, some not
    deep_rgb = rgb.astype(np.uint16) * 255 + 77
    planes = np.moveaxis(rgb, -1, 0)

    def save(name, array, **options):
        tifffile.imwrite(OUT / f"{name}.tif", array, metadata=None, software=None, datetime=False, **options)

    save("grey16", deep, compression="lzw", predictor=True)
    save("grey16_big_endian", deep, byteorder=">", compression="zlib", predictor=True)
    save("grey16_signed", deep.astype(np.int16) - 100)
    save("grey16_white", deep, photometric="miniswhite")
    save("grey_white", grey, photometric="miniswhite", compression="packbits")
    save("rgb16", deep_rgb, photometric="rgb", compression="lzw", predictor=True)
    save("rgb16_big_endian", deep_rgb, photometric="rgb", byteorder=">", rowsperstrip=7)
    save("rgb16_planes", np.moveaxis(deep_rgb, -1, 0), photometric="rgb", planarconfig="separate", compression="zlib",
         predictor=True)
    save("cmyk16", np.dstack([deep_rgb, deep * 70]), photometric="separated")
    save("rgb_strips_big_endian", rgb, photometric="rgb", byteorder=">", rowsperstrip=7)
    save("rgb_multiplied_alpha", np.dstack([rgb // 2, np.maximum(np.asarray(ALPHA), 128) * (X > 9).astype(np.uint8)]),
         photometric="rgb", extrasamples=["assocalpha"])
    save("rgb_meaningless", np.dstack([rgb, np.asarray(ALPHA)]), photometric="rgb", extrasamples=["unspecified"])
    save("rgb_planes", planes, photometric="rgb", planarconfig="separate", compression="lzw")
    save("rgb_planes_raw", planes, photometric="rgb", planarconfig="separate", rowsperstrip=10)
    save("rgb_tiles", rgb, photometric="rgb", tile=(16, 16), compression="lzw", predictor=True)
    save("grey16_tiles", deep, tile=(16, 32), compression="zlib", predictor=True)
    save("bits_tiles", np.asarray(BITS), tile=(16, 16))
    save("jpeg_tiles", rgb, photometric="ycbcr", subsampling=(2, 2), tile=(16, 32), compression="jpeg")
    save("jpeg_rgb", rgb, photometric="rgb", compression="jpeg")
    save("jpeg_422_strips", rgb, photometric="ycbcr", subsampling=(2, 1), compression="jpeg", rowsperstrip=16)
    save("jpeg_444_strips", rgb, photometric="ycbcr", subsampling=(1, 1), compression="jpeg", rowsperstrip=16)
    save("big", rgb, photometric="rgb", bigtiff=True, compression="zlib")
    save("big_jpeg", rgb, photometric="rgb", bigtiff=True, compression="jpeg")


def file_of(entries, data):
    """A TIFF of one directory with short or long values; "data" stands for where `data` is."""
    start = 8 + 2 + 12 * len(entries) + 4
    arrays, packed = b"", b""
    for tag, kind, values in entries:
        values = [start + v.offset if isinstance(v, At) else v for v in values]
        body = b"".join(struct.pack("<H" if kind == 3 else "<L", v) for v in values)
        packed += struct.pack("<HHL", tag, kind, len(values))
        if len(body) <= 4:
            packed += body.ljust(4, b"\0")
        else:
            packed += struct.pack("<L", start + len(data) + len(arrays))
            arrays += body
    return b"II*\0" + struct.pack("<LH", 8, len(entries)) + packed + struct.pack("<L", 0) + data + arrays


class At:
    """A place in the data."""

    def __init__(self, offset):
        self.offset = offset


def by_hand():
    """What neither library writes: few bits, no byte counts, and JPEG as TIFF 6.0 first had it."""
    for name, bits, photometric in [("grey2", 2, 1), ("grey4", 4, 1), ("grey4_white", 4, 0)]:
        levels = np.asarray(GREY) >> (8 - bits)
        rows = ("".join(format(v, f"0{bits}b") for v in row) for row in levels)
        data = b"".join(int(row.ljust(-(-len(row) // 8) * 8, "0"), 2).to_bytes(-(-len(row) // 8), "big") for row in rows)
        entries = [(256, 3, [WIDTH]), (257, 3, [HEIGHT]), (258, 3, [bits]), (262, 3, [photometric]), (273, 4, [At(0)])]
        (OUT / f"{name}.tif").write_bytes(file_of(entries, data))
    stream = io.BytesIO()
    RGB.save(stream, "JPEG", quality=90, subsampling=0)
    jpeg = stream.getvalue()
    scan = jpeg.index(b"\xff\xda")
    scan += 2 + int.from_bytes(jpeg[scan + 2:scan + 4], "big")
    entries = [
        (256, 3, [WIDTH]), (257, 3, [HEIGHT]), (258, 3, [8, 8, 8]), (259, 3, [6]), (262, 3, [6]), (273, 4, [At(scan)]),
        (277, 3, [3]), (278, 3, [HEIGHT]), (279, 4, [len(jpeg) - scan]), (512, 3, [1]), (513, 4, [At(0)]),
        (514, 4, [len(jpeg)]), (530, 3, [1, 1]),
    ]
    (OUT / "jpeg_of_old.tif").write_bytes(file_of(entries, jpeg))
    # YCbCr that is not JPEG.
    entries = [(256, 3, [WIDTH]), (257, 3, [HEIGHT]), (258, 3, [8, 8, 8]), (262, 3, [6]), (273, 4, [At(0)]), (277, 3, [3]),
               (279, 4, [3 * WIDTH * HEIGHT]), (530, 3, [1, 1])]
    (OUT / "ycbcr.tif").write_bytes(file_of(entries, RGB.convert("YCbCr").tobytes()))


def pnm():
    rgb, grey, bits = np.asarray(RGB), np.asarray(GREY), np.asarray(BITS)
    size = f"{WIDTH} {HEIGHT}"
    lines = lambda rows: "\n".join(" ".join(map(str, row)) for row in rows).encode() + b"\n"
    deep = lambda array: array.astype(">u2").tobytes()
    files = {
        "bytes.ppm": (f"P6\n{size}\n255\n", rgb.tobytes()),
        "comments.ppm": (f"P6 # made by\n# a scanner\n{WIDTH} # wide\n{HEIGHT}\n255\n", rgb.tobytes()),
        "most100.ppm": (f"P6 {size} 100\n", (rgb // 3 + rgb % 3).clip(0, 100).tobytes()),
        "deep.ppm": (f"P6 {size} 65535\n", deep(rgb.astype(int) * 199)),
        "most1023.ppm": (f"P6 {size} 1023\n", deep(rgb.astype(int) * 4)),
        "bytes.pgm": (f"P5 {size} 255\n", grey.tobytes()),
        "deep.pgm": (f"P5 {size} 65535\n", deep(grey.astype(int) * 3)),
        "most1000.pgm": (f"P5 {size} 1000\n", deep(grey // 90)),
        "most15.pgm": (f"P5 {size} 15\n", (grey // 16).tobytes()),
        "bits.pbm": (f"P4 {size}\n", np.packbits(~bits, axis=1).tobytes()),
        "text.pbm": (f"P1 {size}\n", "\n".join("".join("10"[v] for v in row) for row in bits.astype(int)).encode()),
        "text.pgm": (f"P2 {size} 255\n# levels\n", lines(grey)),
        "text_most1000.pgm": (f"P2 {size} 1000\n", lines(grey // 90)),
        "text.ppm": (f"P3 {size} 255\n", lines(rgb.reshape(HEIGHT, -1))),
        "text_most31.ppm": (f"P3 {size} 31\n", lines(rgb.reshape(HEIGHT, -1) // 8)),
    }
    for name, (head, data) in files.items():
        (OUT / name).write_bytes(head.encode() + data)


def avif():
    """A page with ink and a stamp, as people save them; no colour ends at a hard edge, where decoders differ."""
    width, height = 96, 64
    y, x = np.mgrid[0:height, 0:width]
    paper = np.stack([250 - x / 6, 246 - y / 5, 232 - x / 9 - y / 9], -1)
    stamp = np.exp(-((x - 70) ** 2 + (y - 40) ** 2) / 160)[..., None] * [20, 90, 140]
    page = Image.fromarray((paper - stamp).clip(0, 255).astype(np.uint8))
    ImageDraw.Draw(page).text((8, 8), "Invoice 4711\ntotal 42", fill=(40, 40, 44))
    sideways = Image.Exif()
    sideways[274] = 6
    alpha = Image.fromarray(((x * 2 + y) % 256).astype(np.uint8))

    def save(name, picture, **options):
        picture.save(OUT / f"{name}.avif", **options)

    save("half_colours", page, quality=80)
    save("full_colours", page, quality=80, subsampling="4:4:4")
    save("limited_range", page, quality=80, range="limited")
    save("lossless", page, quality=100, subsampling="4:4:4")
    save("grey", page.convert("L"), quality=80, subsampling="4:0:0")
    save("alpha", Image.merge("RGBA", [*page.split(), alpha]), quality=80)
    save("sequence", page, save_all=True, append_images=[page.rotate(180)], quality=80)
    for orientation in range(2, 9):
        sideways[274] = orientation
        save(f"orientation{orientation}", page.convert("L"), quality=60, subsampling="4:0:0", exif=sideways)


def lines():
    """Lines of text that the embedded model reads, a page each."""
    examples = Path(__file__).resolve().parents[2] / "assets" / "examples"
    first, second = (Image.open(examples / name).convert("L") for name in ["line.png", "date.png"])
    first.save(OUT / "lines.tif", save_all=True, append_images=[second], compression="tiff_lzw")


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    by_pillow()
    by_tifffile()
    by_hand()
    pnm()
    avif()
    lines()
    decoded = {}
    for file in sorted(OUT.iterdir()):
        with Image.open(file) as picture:
            for page in range(getattr(picture, "n_frames", 1) if file.suffix == ".tif" else 1):
                picture.seek(page)
                rgb = ImageOps.exif_transpose(picture).convert("RGB")
                decoded[file.name + (f"#{page + 1}" if page else "")] = np.ascontiguousarray(rgb)
    save_file(decoded, OUT / "decoded.safetensors")
    print(len(decoded), "pictures,", sum(file.stat().st_size for file in OUT.iterdir()), "bytes")


if __name__ == "__main__":
    main()
