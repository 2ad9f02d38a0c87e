"""Opens pictures that people sent, in a process of its own: whatever a file does to the decoder, the relay lives on.

Run as `python -m bot.channels.picture_work clean|pair`; reads framed pictures from standard input, writes a JSON line
and a JPEG. Why limits: measured with Pillow 13, a 34-byte WebP of 49 megapixels took 765 MB, a 284-byte BLP 659 MB.
"""

import io
import json
import resource
import struct
import sys
from typing import BinaryIO

from PIL import Image, ImageOps

MEMORY = 700 << 20
"""Bytes of address space; Python with Pillow takes about 120 MB of it before it begins."""
SECONDS = 15
LONGEST = 1280
PIXELS_JPEG = 50_000_000
PIXELS_OTHER = 16_000_000
FORMATS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"RIFF": "WEBP"}
GPS_IFD = 0x8825


def main() -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    work, source = sys.argv[1], sys.stdin.buffer
    pictures = []
    while size := source.read(4):
        pictures.append(source.read(struct.unpack(">I", size)[0]))
    try:
        place, image = clean(pictures[0]) if work == "clean" else (None, pair(pictures[0], pictures[1]))
    except Exception as error:
        _answer(sys.stdout.buffer, {"error": f"{type(error).__name__}"}, b"")
        return 1
    target = io.BytesIO()
    image.save(target, "JPEG", quality=82, optimize=True)
    _answer(sys.stdout.buffer, {"place": place}, target.getvalue())
    return 0


def _answer(target: BinaryIO, header: dict[str, object], body: bytes) -> None:
    target.write(json.dumps(header).encode() + b"\n" + body)


def clean(data: bytes) -> tuple[list[float] | None, Image.Image]:
    """The picture upright and without anything but its pixels, and the place its EXIF named."""
    image = _open(data)
    place = _place(image)
    return place, _plain(image, LONGEST)


def pair(before: bytes, after: bytes) -> Image.Image:
    """Both side by side on white, of equal height."""
    height, gap = 640, 12
    sides = []
    for data in (before, after):
        side = _plain(_open(data), LONGEST)
        width = min(max(round(side.width * height / side.height), 240), 1000)
        sides.append(ImageOps.fit(side, (width, height)))
    sheet = Image.new("RGB", (sides[0].width + gap + sides[1].width, height), "white")
    sheet.paste(sides[0], (0, 0))
    sheet.paste(sides[1], (sides[0].width + gap, 0))
    return sheet


def _open(data: bytes) -> Image.Image:
    kind = next((name for magic, name in FORMATS.items() if data.startswith(magic)), None)
    if kind is None:
        raise ValueError("not a JPEG, PNG or WebP")
    image = Image.open(io.BytesIO(data), formats=[kind])
    if image.width * image.height > (PIXELS_JPEG if kind == "JPEG" else PIXELS_OTHER):
        raise ValueError("too many pixels")
    return image


def _place(image: Image.Image) -> list[float] | None:
    """[latitude, longitude] in degrees from EXIF; None when there is none or it makes no sense."""
    try:
        gps = image.getexif().get_ifd(GPS_IFD)
        latitude = _degrees(gps[2]) * (-1 if gps[1] in ("S", b"S") else 1)
        longitude = _degrees(gps[4]) * (-1 if gps[3] in ("W", b"W") else 1)
    except Exception:
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180) or (latitude, longitude) == (0, 0):
        return None
    return [round(latitude, 6), round(longitude, 6)]


def _degrees(triple: tuple[float, float, float]) -> float:
    return float(triple[0]) + float(triple[1]) / 60 + float(triple[2]) / 3600


def _plain(image: Image.Image, longest: int) -> Image.Image:
    orientation = _orientation(image)
    if image.format == "JPEG":
        image.draft("RGB", (longest, longest))
    image.load()
    image.thumbnail((longest, longest))
    turned = image.transpose(orientation) if orientation is not None else image
    rgba = turned.convert("RGBA") if turned.mode in ("P", "LA", "PA", "RGBA") else turned.convert("RGB")
    sheet = Image.new("RGB", rgba.size, "white")
    sheet.paste(rgba, mask=rgba.getchannel("A") if rgba.mode == "RGBA" else None)
    return sheet


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _orientation(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(0x0112, 1))
    except Exception:
        return None


if __name__ == "__main__":
    sys.exit(main())
