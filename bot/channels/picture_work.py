"""Opens pictures that people sent, in a process of its own: whatever a file does to the decoder, the relay lives on.

Run as `python -I picture_work.py clean|pair FILE...`, each FILE the number of an open file; writes a JSON line and a
JPEG. It knows nothing of the relay and imports none of it. Why limits: measured with Pillow 13, a 34-byte WebP of 49
megapixels took 765 MB, a 284-byte BLP 659 MB.
"""

import io
import json
import os
import resource
import sys
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps

MEMORY = 100 << 20
"""Bytes of address space beyond what Python with Pillow (16 MB resident) has taken before it begins."""
SECONDS = 8
"""Of the processor. The slowest picture that is taken, a JPEG of 48 megapixels, needs 0.8 on a desk computer."""
LARGEST = 8 << 20
"""Bytes that may be written; a JPEG of 1280 pixels square is never over three megabytes."""
LONGEST = 1280
LEAST = 32
SLENDER = 16
"""Telegram refuses a photo that is more than twenty times as long as wide; such a one is shown on white."""
PIXELS = {"JPEG": 50_000_000, "PNG": 16_000_000, "WEBP": 5_000_000}
"""What fits into the memory: a JPEG is made smaller while it is read, a WebP is held four times over."""
FORMATS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"RIFF": "WEBP"}
GPS_IFD = 0x8825


def main() -> int:
    _limit()
    work, sources = sys.argv[1], [os.fdopen(int(number), "rb") for number in sys.argv[2:]]
    target = io.BytesIO()
    try:
        place, image = clean(sources[0]) if work == "clean" else (None, pair(sources[0], sources[1]))
        image.save(target, "JPEG", quality=82, optimize=True)
    except Exception as error:
        _answer(sys.stdout.buffer, {"error": type(error).__name__}, b"")
        return 1
    _answer(sys.stdout.buffer, {"place": place}, target.getvalue())
    return 0


def _limit() -> None:
    """Whatever a file makes of the decoder: so much memory, so much time, so much said, and no more."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for kind, most, last in (
        (resource.RLIMIT_AS, taken + MEMORY, taken + MEMORY),
        # A second between the two: so it ends by a signal that says why.
        (resource.RLIMIT_CPU, SECONDS, SECONDS + 1),
        (resource.RLIMIT_FSIZE, LARGEST, LARGEST),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(kind, (most, last))


def _answer(target: BinaryIO, header: dict[str, object], body: bytes) -> None:
    target.write(json.dumps(header).encode() + b"\n" + body)


def clean(source: BinaryIO) -> tuple[list[float] | None, Image.Image]:
    """The picture upright and without anything but its pixels, and the place its EXIF named."""
    image = _open(source)
    place = _place(image)
    return place, _plain(image, LONGEST)


def pair(before: BinaryIO, after: BinaryIO) -> Image.Image:
    """Both side by side on white, of equal height."""
    height, gap = 640, 12
    sides = []
    for source in (before, after):
        side = _plain(_open(source), LONGEST)
        width = min(max(round(side.width * height / side.height), 240), 1000)
        sides.append(ImageOps.fit(side, (width, height)))
    sheet = Image.new("RGB", (sides[0].width + gap + sides[1].width, height), "white")
    sheet.paste(sides[0], (0, 0))
    sheet.paste(sides[1], (sides[0].width + gap, 0))
    return sheet


def _open(source: BinaryIO) -> Image.Image:
    """The picture, its pixels not yet read. The first bytes tell what it is, not its name."""
    beginning = source.read(16)
    source.seek(0)
    kind = next((name for magic, name in FORMATS.items() if beginning.startswith(magic)), None)
    if kind is None:
        raise ValueError("not a JPEG, PNG or WebP")
    image = Image.open(source, formats=[kind])
    if image.width * image.height > PIXELS[kind]:
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
    """Upright, on white, as Telegram takes it. Refuses nothing that could be opened."""
    orientation = _orientation(image)
    # Telephones put several pictures into one JPEG (MPO); their first is a JPEG like any other.
    if image.format in ("JPEG", "MPO"):
        image.draft("RGB", (longest, longest))
    image.load()
    image.thumbnail((longest, longest))
    turned = image.transpose(orientation) if orientation is not None else image
    rgba = turned.convert("RGBA") if turned.mode in ("P", "LA", "PA", "RGBA") else _colours(turned)
    width, height = max(rgba.width, rgba.height // SLENDER, LEAST), max(rgba.height, rgba.width // SLENDER, LEAST)
    sheet = Image.new("RGB", (width, height), "white")
    corner = ((width - rgba.width) // 2, (height - rgba.height) // 2)
    sheet.paste(rgba, corner, mask=rgba.getchannel("A") if rgba.mode == "RGBA" else None)
    return sheet


def _colours(image: Image.Image) -> Image.Image:
    """In three colours of eight bits; sixteen bits of grey are not cut off but scaled."""
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda level: level / 257).convert("L").convert("RGB")
    return image.convert("RGB")


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
