"""Files that are no pictures, or pictures made to harm: each made here, byte by byte, so that none has to be kept."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

from PIL import Image, ImageDraw, PngImagePlugin

CANARY = "OWNER-OF-THIS-TELEPHONE"
"""Stands in every place a file can tell something about its owner."""
EXIF_GPS = 0x8825


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *more: bytes, depth: int = 1, colour: int = 0, rows: bytes | None = None) -> bytes:
    """A PNG with that in its header, whatever is in its rows."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(rows if rows is not None else bytes((width * depth + 7) // 8 + 1) * min(height, 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(more) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def zeros(width: int, height: int) -> bytes:
    """All the rows there are, a bit for each pixel."""
    return bytes((width + 7) // 8 + 1) * height


def webp(content: bytes) -> bytes:
    content += b"\x00" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(content)) + b"WEBP" + content


def lossless(width: int, height: int) -> bytes:
    """The smallest picture of one colour there is: 34 bytes, whatever its size."""
    bits = (width - 1) | (height - 1) << 14
    # No transforms, no colour cache, five one-symbol codes: each pixel is the same and costs nothing.
    body = b"\x2f" + struct.pack("<I", bits) + b"\x88\x88\x08\x00\x00\x00\x00\x00"
    return webp(b"VP8L" + struct.pack("<I", len(body)) + body)


def extended(width: int, height: int) -> bytes:
    """A WebP whose canvas is that large, animated, with one frame of a pixel."""
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    frame = b"\0\0\0\0\0\0" + b"\0\0\0\0\0\0" + b"\x64\0\0\0" + lossless(1, 1)[12:]
    parts = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + size
    parts += b"ANIM" + struct.pack("<I", 6) + b"\0" * 6 + b"ANMF" + struct.pack("<I", len(frame)) + frame
    return webp(parts)


def jpeg_of(width: int, height: int) -> bytes:
    """A small JPEG whose header says that it is that large."""
    data = bytearray(picture("RGB", (16, 16)))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def picture(mode: str = "RGB", size: tuple[int, int] = (640, 480), form: str = "JPEG", **options: Any) -> bytes:
    """An honest picture: red above, blue below."""
    image = Image.new("RGB", size, "red")
    ImageDraw.Draw(image).rectangle((0, size[1] // 2, size[0], size[1]), fill="blue")
    made = io.BytesIO()
    image.convert(mode).save(made, form, **options)
    return made.getvalue()


def exif(orientation: int = 1, place: tuple[float, float] | None = None) -> Image.Exif:
    found = Image.Exif()
    found[0x0112], found[0x010E], found[0x013B] = orientation, CANARY, CANARY
    if place is not None:
        found[EXIF_GPS] = {1: "N", 2: (place[0], 0.0, 0.0), 3: "E", 4: (place[1], 0.0, 0.0)}
    return found


def talkative() -> bytes:
    """A JPEG that says everything about its owner, in every way a JPEG can."""
    made = io.BytesIO()
    xmp = f"<x:xmpmeta>{CANARY}</x:xmpmeta>".encode()
    image = Image.open(io.BytesIO(picture()))
    image.save(made, "JPEG", exif=exif(6, (30.5, 121.25)), comment=CANARY, icc_profile=CANARY.encode() * 9, xmp=xmp)
    return made.getvalue()


def talkative_png() -> bytes:
    said = PngImagePlugin.PngInfo()
    said.add_text("Author", CANARY)
    said.add_itxt("Comment", CANARY, zip=True)
    return picture("RGB", (640, 480), "PNG", pnginfo=said, exif=exif(1), icc_profile=CANARY.encode() * 9)


def with_exif(content: bytes) -> bytes:
    """A JPEG with these bytes where its EXIF belongs."""
    data = picture()
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 8) + b"Exif\0\0" + content + data[2:]


def ycck() -> bytes:
    """Four colours the way some presses' programs write them."""
    data = bytearray(picture("CMYK"))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def several(form: str, **options: Any) -> bytes:
    """A file of three pictures: an animation, or what a telephone takes in one go."""
    frames = [Image.new("RGB", (320, 240), colour) for colour in ("red", "green", "blue")]
    made = io.BytesIO()
    frames[0].save(made, form, save_all=True, append_images=frames[1:], **options)
    return made.getvalue()


def stuffed(kind: bytes, megabytes: int) -> bytes:
    """A PNG of one pixel with a chunk that unpacks to so many megabytes."""
    packed = zlib.compress(bytes(megabytes << 20), 1)
    head = {b"zTXt": b"c\0\0", b"iTXt": b"c\0\x01\0\0\0", b"iCCP": b"c\0\0"}[kind]
    return png(1, 1, chunk(kind, head + packed), rows=b"\0\0")


Made = Callable[[], bytes]
REFUSED: dict[str, Made] = {
    "webp, 34 bytes, 49 megapixels": lambda: lossless(7000, 7000),
    "webp, the largest there is": lambda: lossless(16383, 16383),
    "webp, an animation on a huge canvas": lambda: extended(16000, 16000),
    "webp, cut off": lambda: lossless(640, 480)[:20],
    "png, 169 megapixels": lambda: png(13000, 13000, rows=zeros(13000, 13000)),
    "png, 169 megapixels, rows missing": lambda: png(13000, 13000),
    "png, two milliards each way": lambda: png(2**31 - 1, 2**31 - 1, rows=b"\0"),
    "png, nothing wide": lambda: png(0, 40),
    "png, sixteen megapixels with alpha": lambda: picture("RGBA", (4000, 4000), "PNG", compress_level=1),
    "png, text that unpacks to 40 MB": lambda: stuffed(b"zTXt", 40),
    "png, newer text that unpacks to 40 MB": lambda: stuffed(b"iTXt", 40),
    "png, a profile that unpacks to 40 MB": lambda: stuffed(b"iCCP", 40),
    "png, its signature alone": lambda: b"\x89PNG\r\n\x1a\n",
    "jpeg, 65500 each way": lambda: jpeg_of(65500, 65500),
    "jpeg, 51 megapixels": lambda: jpeg_of(8500, 6000),
    "jpeg, nothing high": lambda: jpeg_of(640, 0),
    "jpeg, its end cut off": lambda: picture()[:-2],
    "jpeg, its first bytes alone": lambda: b"\xff\xd8\xff",
    "blp, 284 bytes": lambda: b"BLP2" + struct.pack("<IBBBBII", 1, 1, 8, 0, 0, 16384, 16384) + bytes(260),
    "gif": lambda: picture("RGB", (320, 240), "GIF"),
    "bmp": lambda: picture("RGB", (320, 240), "BMP"),
    "tiff": lambda: picture("RGB", (320, 240), "TIFF"),
    "icon": lambda: picture("RGB", (64, 64), "ICO"),
    "pdf": lambda: b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n",
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
    "html": lambda: b"<!DOCTYPE html><script>alert(1)</script>",
    "heic": lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(400),
    "wave": lambda: b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
    "zip": lambda: b"PK\x03\x04" + bytes(60),
    "program": lambda: b"\x7fELF" + bytes(100),
    "text": lambda: "井盖坏了".encode(),
    "one byte": lambda: b"\xff",
    "nothing": lambda: b"",
}
"""What cannot be shown, by what it is."""


SHOWN: dict[str, Made] = {
    "jpeg": lambda: picture(),
    "jpeg, progressive": lambda: picture("RGB", (640, 480), "JPEG", progressive=True),
    "jpeg, grey": lambda: picture("L"),
    "jpeg, cmyk": lambda: picture("CMYK"),
    "jpeg, ycck": lambda: ycck(),
    "jpeg, several in one": lambda: several("MPO"),
    "jpeg, exif of 64 kB": lambda: with_exif(b"II*\0" + b"\xff" * 65000),
    "jpeg, exif of nothing": lambda: with_exif(b""),
    "jpeg, exif that points nowhere": lambda: with_exif(b"II*\0\xff\xff\xff\x7f"),
    "jpeg, exif that points at itself": lambda: with_exif(
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0"
    ),
    "jpeg, exif of another kind": lambda: with_exif(b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04abcd\0\0\0\0"),
    "jpeg, talkative": lambda: talkative(),
    "png": lambda: picture("RGB", (640, 480), "PNG"),
    "png, rows missing": lambda: png(3000, 3000, depth=8),
    "png, palette": lambda: picture("P", (640, 480), "PNG"),
    "png, palette with holes": lambda: picture("P", (640, 480), "PNG", transparency=0),
    "png, alpha": lambda: picture("RGBA", (640, 480), "PNG"),
    "png, grey with alpha": lambda: picture("LA", (640, 480), "PNG"),
    "png, black and white": lambda: picture("1", (640, 480), "PNG"),
    "png, sixteen bits of grey": lambda: picture("I;16", (640, 480), "PNG"),
    "png, animated": lambda: several("PNG"),
    "png, talkative": lambda: talkative_png(),
    "png, one pixel": lambda: picture("RGB", (1, 1), "PNG"),
    "png, one by twenty thousand": lambda: picture("RGB", (1, 20000), "PNG"),
    "png, twenty thousand by one": lambda: picture("RGB", (20000, 1), "PNG"),
    "webp": lambda: picture("RGB", (640, 480), "WEBP"),
    "webp, lossless": lambda: picture("RGBA", (640, 480), "WEBP", lossless=True),
    "webp, animated": lambda: several("WEBP"),
    "webp, exif": lambda: picture("RGB", (640, 480), "WEBP", exif=exif(1)),
}
"""What is a picture all the same, by what it is."""
