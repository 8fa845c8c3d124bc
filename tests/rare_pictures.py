"""Make small files of formats that Pillow only reads, or must not read, byte by byte."""

from __future__ import annotations

import gzip
import io
import struct
import zlib

import numpy as np
from images import file_bytes
from PIL import Image

WIDTH, HEIGHT = 16, 12
_LEVELS = bytes(range(WIDTH * HEIGHT))
_COLOURS = bytes(value * 5 % 256 for value in range(WIDTH * HEIGHT * 3))


def _picture(mode="RGB"):
    grey = Image.frombytes("L", (WIDTH, HEIGHT), _LEVELS)
    return grey.convert(mode) if mode != "RGB" else Image.frombytes(mode, grey.size, _COLOURS)


def cursor():
    dib = file_bytes(_picture("RGBA"), "DIB")
    dib = dib[:8] + struct.pack("<i", 2 * HEIGHT) + dib[12:] + bytes(4 * HEIGHT)
    entry = struct.pack("<BBBBHHII", WIDTH, HEIGHT, 0, 0, 0, 0, len(dib), 22)
    return b"\0\0\2\0\1\0" + entry + dib


def dcx():
    pages = [file_bytes(_picture(mode), "PCX") for mode in ("RGB", "L")]
    first = 4 + 4 * 3
    places = [first, first + len(pages[0]), 0]
    return struct.pack("<4I", 0x3ADE68B1, *places) + b"".join(pages)


def fits(bits=8):
    kind = {8: ">u1", 16: ">i2", 32: ">i4", -32: ">f4"}[bits]
    cards = {"SIMPLE": "T", "BITPIX": bits, "NAXIS": 2, "NAXIS1": WIDTH, "NAXIS2": HEIGHT}
    pixels = np.frombuffer(_LEVELS, np.uint8).astype(kind).tobytes()
    return _fits_header(cards) + pixels.ljust(2880, b"\0")


def fits_gzip():
    table = {
        "XTENSION": "'BINTABLE'", "BITPIX": 8, "NAXIS": 2, "NAXIS1": 8, "NAXIS2": 1, "ZIMAGE": "T",
        "ZCMPTYPE": "'GZIP_1  '", "ZBITPIX": 16, "ZNAXIS": 2, "ZNAXIS1": WIDTH, "ZNAXIS2": HEIGHT,
    }  # fmt: skip
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as file:
        file.write(np.frombuffer(_LEVELS, np.uint8).astype(">i4").tobytes())
    first = _fits_header({"SIMPLE": "T", "BITPIX": 8, "NAXIS": 0})
    return first + _fits_header(table) + bytes(8) + stream.getvalue()


def _fits_header(cards):
    lines = [f"{key:<8}= {value:>20}".ljust(80) for key, value in cards.items()]
    return "".join([*lines, "END".ljust(80)]).encode().ljust(2880)


def fli():
    palette = struct.pack("<IHHBB", 778, 4, 1, 0, 0) + bytes(768)
    rows = b"".join(b"\1" + bytes([WIDTH, row]) for row in range(HEIGHT))
    picture = struct.pack("<IH", 6 + len(rows), 15) + rows
    frame = struct.pack("<IHH", 16 + len(palette) + len(picture), 0xF1FA, 2) + bytes(8)
    frame += palette + picture
    head = struct.pack("<IHHHHHHI", 128 + len(frame), 0xAF12, 1, WIDTH, HEIGHT, 8, 3, 70)
    return head.ljust(128, b"\0") + frame


def ftex(kind=1):
    pixels = _COLOURS if kind else bytes(WIDTH * HEIGHT // 2)
    head = struct.pack("<4s7i", b"FTEX", 0, WIDTH, HEIGHT, 1, 1, kind, 32)
    return head + struct.pack("<i", len(pixels)) + pixels


def gimp_brush(depth=1):
    pixels = (_LEVELS * 4)[: WIDTH * HEIGHT * depth]
    return struct.pack(">5I4sI", 32, 2, WIDTH, HEIGHT, depth, b"GIMP", 10) + b"name" + pixels


def imt():
    return f"* a comment\nwidth {WIDTH}\nheight {HEIGHT}\npixel n8\n\x0c".encode() + _LEVELS


def mcidas(size=1):
    words = [0] * 64
    words[1], words[8], words[9], words[10], words[13], words[33] = 4, HEIGHT, WIDTH, size, 1, 256
    return struct.pack("!64i", *words) + (_LEVELS * 4)[: WIDTH * HEIGHT * size]


def photo_cd():
    return (
        bytes(2048) + b"PCD_OPA" + bytes(1531) + b"\1" + bytes(94 * 2048 + 512 + 768 * 512 * 3 // 2)
    )


def pixar():
    head = bytearray(1024)
    head[:4] = b"\200\350\0\0"
    head[416:420], head[424:428] = struct.pack("<HH", HEIGHT, WIDTH), struct.pack("<HH", 14, 2)
    return bytes(head) + _COLOURS


def psd(packed=False, mode=3, bits=8, channels=3):
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, channels, HEIGHT, WIDTH, bits, mode)
    resource = b"8BIM" + struct.pack(">HBBI", 1039, 0, 0, 4) + b"icc!"
    layer = struct.pack(">4iH", 0, 0, HEIGHT, WIDTH, 1) + struct.pack(">hI", 0, 2)
    layer += b"8BIMnorm\xff\0\0\0" + struct.pack(">I", 12) + bytes(8) + b"\3abc"
    layers = struct.pack(">h", 1) + layer + bytes(2)
    layers = struct.pack(">I", len(layers)) + layers
    rows = [_COLOURS[start : start + WIDTH] for start in range(0, len(_COLOURS), WIDTH)]
    rows = (rows * 2)[: HEIGHT * channels]
    if packed:
        rows = [bytes([WIDTH - 1]) + row for row in rows]
        lengths = b"".join(struct.pack(">H", len(row)) for row in rows)
        body = b"\0\1" + lengths + b"".join(rows)
    else:
        body = b"\0\0" + b"".join(rows)
    colours = struct.pack(">I", 768) + bytes(768) if mode == 2 else bytes(4)
    parts = [head, colours, struct.pack(">I", len(resource)), resource]
    return b"".join([*parts, struct.pack(">I", len(layers)), layers, body])


def sun(depth=24, kind=1, palette=b""):
    width = (WIDTH * depth + 15) // 16 * 2
    pixels = (_COLOURS * 2)[: width * HEIGHT]
    if kind == 2:
        pixels = b"\x80\xff\x41" * 4
    facts = (WIDTH, HEIGHT, depth, len(pixels), kind, 1 if palette else 0, len(palette))
    return struct.pack(">8I", 0x59A66A95, *facts) + palette + pixels


def xpm(num_colours=3):
    keys = [f"{number:02x}" for number in range(min(num_colours, 250))]
    lines = [f'"{WIDTH} {HEIGHT} {len(keys)} 2",']
    lines += [f'"{key} c #{number * 991 % 2**24:06x}",' for number, key in enumerate(keys)]
    lines[-1] = f'"{keys[-1]} c None",'
    rows = [[keys[(x * y) % len(keys)] for x in range(WIDTH)] for y in range(HEIGHT)]
    lines += ['"' + "".join(row) + '",' for row in rows]
    return ("/* XPM */\nstatic char *x[] = {\n" + "\n".join(lines) + "\n};\n").encode()


def xv_thumbnail():
    return f"P7 332\n#XVVERSION\n#END\n{WIDTH} {HEIGHT} 255\n".encode() + _LEVELS


def blp(compression=1, encoding=2, alpha=8):
    """Return a BLP2, whose textures are compressed as in DDS."""
    pixels = bytes(range(WIDTH * HEIGHT // 2))
    head = b"BLP2" + struct.pack("<i4b2I", compression, encoding, alpha, 1, 0, WIDTH, HEIGHT)
    places = struct.pack("<32I", 1172, *[0] * 15, len(pixels), *[0] * 15)
    return (head + places).ljust(1172, b"\0") + pixels * 2


def blp_jpeg():
    jpeg = file_bytes(_picture(), "JPEG")
    head = b"BLP1" + struct.pack("<iI2I2i", 0, 0, WIDTH, HEIGHT, 5, 0)
    places = struct.pack("<32I", 160 + 624, *[0] * 15, len(jpeg) - 100, *[0] * 15)
    return head + places + struct.pack("<I", 100) + jpeg[:100] + bytes(524) + jpeg[100:]


def dds(code):
    """Return a DDS with one of the codes of texture compression that Pillow knows."""
    head = struct.pack("<4s7I44x", b"DDS ", 124, 0x1007, HEIGHT, WIDTH, 0, 0, 0)
    head += struct.pack("<II4sIIIII", 32, 4, code, 0, 0, 0, 0, 0) + struct.pack(
        "<5I", 0x1000, 0, 0, 0, 0
    )
    if code == b"DX10":
        head += struct.pack("<5I", 98, 3, 0, 1, 0)  # BC7
    return head + (_LEVELS * 2)[: WIDTH * HEIGHT]


def icns():
    """Return icons that are packed in each of the ways of old systems."""
    packed = b"".join(b"\x8d" + bytes([value]) for value in range(6)) * 8
    parts = {b"is32": packed * 2, b"s8mk": bytes(256), b"icp4": file_bytes(_picture(), "PNG")}
    parts[b"ic07"] = file_bytes(_picture().resize((128, 128)), "JPEG2000")
    body = b"".join(key + struct.pack(">I", 8 + len(each)) + each for key, each in parts.items())
    return b"icns" + struct.pack(">I", 8 + len(body)) + body


def iptc():
    fields = {(3, 60): b"\1\0", (3, 20): b"\0\x10", (3, 30): b"\0\x10", (3, 120): b"\5"}
    head = b"".join(bytes([0x1C, *key, 0, len(value)]) + value for key, value in fields.items())
    content = file_bytes(_picture("L"), "PNG")
    return head + b"\x1c\x08\x0a" + struct.pack(">H", len(content)) + content


def windows_metafile():
    head = struct.pack("<IHhhhhHIH", 0x9AC6CDD7, 0, 0, 0, WIDTH, HEIGHT, 72, 0, 0)
    return head + struct.pack("<HHHIHIH", 1, 9, 0x300, 12, 0, 3, 0) + struct.pack("<IH", 3, 0)


def postscript():
    return (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\n"
        b"0 0 16 16 rectfill\nshowpage\n%%EOF\n"
    )


def png_of_texts():
    parts = [b"\x89PNG\r\n\x1a\n"]
    pixels = zlib.compress(b"".join(b"\0" + bytes(6 * WIDTH) for _ in range(HEIGHT)))
    chunks = {
        b"IHDR": struct.pack(">2I5B", WIDTH, HEIGHT, 16, 2, 0, 0, 0), b"sBIT": b"\x0c\x0c\x0c",
        b"gAMA": b"\0\0\xb1\x8f", b"iCCP": b"icc\0\0" + zlib.compress(bytes(200)),
        b"iTXt": b"XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation='3'/>",
        b"zTXt": b"k\0\0" + zlib.compress(b"x"),
        b"eXIf": b"II*\0\x08\0\0\0\0\0", b"tRNS": b"\0\1\0\1\0\1", b"IDAT": pixels, b"IEND": b"",
    }  # fmt: skip
    for kind, content in chunks.items():
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        parts.append(struct.pack(">I", len(content)) + kind + content + checksum)
    return b"".join(parts)


RARE = {
    "CUR-0.cur": cursor,
    "DCX-0.dcx": dcx,
    "FITS-8.fits": fits,
    "FITS-16.fits": lambda: fits(16),
    "FITS-32.fits": lambda: fits(-32),
    "FITS-gzip.fits": fits_gzip,
    "FLI-0.flc": fli,
    "FTEX-0.ftc": lambda: ftex(0),
    "FTEX-1.ftu": ftex,
    "GBR-1.gbr": gimp_brush,
    "GBR-4.gbr": lambda: gimp_brush(4),
    "IMT-0.im": imt,
    "MCIDAS-1.area": mcidas,
    "MCIDAS-2.area": lambda: mcidas(2),
    "MCIDAS-4.area": lambda: mcidas(4),
    "PCD-0.pcd": photo_cd,
    "PIXAR-0.pxr": pixar,
    "PSD-0.psd": psd,
    "PSD-1.psd": lambda: psd(packed=True),
    "PSD-2.psd": lambda: psd(mode=2, channels=1),
    "PSD-4.psd": lambda: psd(mode=4, channels=4),
    "SUN-24.ras": sun,
    "SUN-8.ras": lambda: sun(8, palette=bytes(768)),
    "SUN-1.ras": lambda: sun(1),
    "SUN-rle.ras": lambda: sun(8, kind=2),
    "XPM-3.xpm": xpm,
    "XPM-250.xpm": lambda: xpm(250),
    "XVTHUMB-0": xv_thumbnail,
    "BLP-dxt.blp": blp,
    "BLP-jpeg.blp": blp_jpeg,
    "DDS-dxt3.dds": lambda: dds(b"DXT3"),
    "DDS-bc4.dds": lambda: dds(b"BC4U"),
    "DDS-bc5.dds": lambda: dds(b"BC5S"),
    "DDS-bc7.dds": lambda: dds(b"DX10"),
    "ICNS-0.icns": icns,
    "PNG-texts.png": png_of_texts,
    "IPTC-0.iim": iptc,
    "WMF-0.wmf": windows_metafile,
    "EPS-0.eps": postscript,
}
