"""Pictures for somebody who only wants to try the bot and has no broken manhole at hand. They are drawn
when asked for, a little differently each time, so that no two are the same file."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable
from typing import Final

from PIL import Image, ImageDraw, ImageFilter

WIDTH: Final = 1280
HEIGHT: Final = 960
LATITUDE: Final = 30.6777
LONGITUDE: Final = 121.0149

Colour = tuple[int, int, int]


def drawn(name: str, *, as_file: bool = False) -> bytes:
    """A fresh JPEG of that sample; "cover" as a file carries its GPS place. Raises KeyError for no such name."""
    draw = SAMPLES[name]
    chance = random.Random()  # noqa: S311 - a drawing, not a secret
    picture = _street(chance)
    draw(ImageDraw.Draw(picture), chance)
    picture = picture.filter(ImageFilter.GaussianBlur(0.6))
    out = io.BytesIO()
    if as_file and name == "cover":
        picture.save(out, "JPEG", quality=90, exif=_place())
    else:
        picture.save(out, "JPEG", quality=90)
    return out.getvalue()


def sticker(side: int = 512) -> bytes:
    """A thumb-like badge as WebP, for the chatter that no bot should answer."""
    picture = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((40, 40, side - 40, side - 40), fill=(250, 204, 76), outline=(196, 140, 20), width=10)
    pen.ellipse((160, 180, 210, 250), fill=(70, 50, 20))
    pen.ellipse((side - 210, 180, side - 160, 250), fill=(70, 50, 20))
    pen.arc((150, 210, side - 150, 390), 20, 160, fill=(70, 50, 20), width=16)
    out = io.BytesIO()
    picture.save(out, "WEBP")
    return out.getvalue()


def _street(chance: random.Random) -> Image.Image:
    picture = Image.new("RGB", (WIDTH, HEIGHT), (196, 214, 224))
    pen = ImageDraw.Draw(picture)
    light = chance.randint(-12, 12)
    for left in range(-40, WIDTH, 260):  # a row of shops
        wall = _shade((206, 186, 160), chance.randint(-18, 18) + light)
        top = chance.randint(40, 90)
        pen.rectangle((left, top, left + 250, 400), fill=wall)
        pen.rectangle((left, 190, left + 250, 240), fill=_shade((158, 62, 52), chance.randint(-20, 20)))
        pen.rectangle((left + 30, 260, left + 220, 400), fill=(74, 86, 94))
        pen.line((left + 125, 260, left + 125, 400), fill=(120, 130, 136), width=4)
    pen.rectangle((0, 400, WIDTH, HEIGHT), fill=_shade((168, 164, 156), light))
    for row in range(7):  # paving slabs in perspective
        y = 400 + int(560 * (row / 7) ** 1.5)
        pen.line((0, y, WIDTH, y), fill=_shade((142, 138, 130), light), width=3)
    for foot in range(-1600, WIDTH + 1600, 220):
        pen.line((640 + (foot - 640) * 0.3, 400, foot, HEIGHT), fill=_shade((142, 138, 130), light), width=3)
    for _ in range(420):
        x, y = chance.randrange(WIDTH), chance.randrange(404, HEIGHT)
        grain = chance.randint(110, 200)
        pen.point((x, y), fill=(grain, grain, grain - 6))
        pen.ellipse((x, y, x + 2, y + 1), fill=(grain, grain, grain - 6))
    return picture


def _iron(pen: ImageDraw.ImageDraw, x: int, y: int, colour: Colour) -> None:
    pen.ellipse((x - 290, y - 170, x + 290, y + 170), fill=(92, 88, 82))
    pen.ellipse((x - 262, y - 150, x + 262, y + 150), fill=colour, outline=(38, 38, 40), width=6)
    for ring in (60, 120, 180, 225):
        pen.ellipse((x - ring, y - ring * 0.57, x + ring, y + ring * 0.57), outline=(96, 98, 102), width=5)
    for spoke in range(0, 360, 30):
        dx, dy = math.cos(math.radians(spoke)), math.sin(math.radians(spoke)) * 0.57
        pen.line((x + dx * 66, y + dy * 66, x + dx * 222, y + dy * 222), fill=(96, 98, 102), width=5)


def _cover(pen: ImageDraw.ImageDraw, chance: random.Random) -> None:
    x, y = 640 + chance.randint(-60, 60), 680 + chance.randint(-20, 20)
    _iron(pen, x, y, (66, 68, 72))
    hole = [
        (
            x + math.cos(math.radians(a)) * chance.randint(90, 150),
            y + math.sin(math.radians(a)) * chance.randint(50, 84),
        )
        for a in range(0, 360, 30)
    ]
    pen.polygon([(px + 30, py - 6) for px, py in hole], fill=(14, 13, 14))
    for start in range(0, 360, 72):  # cracks from the hole to the rim
        points = [(x + 30.0, y - 6.0)]
        for step in (100, 160, 210, 260):
            angle = math.radians(start + chance.randint(-12, 12))
            points.append((x + math.cos(angle) * step, y + math.sin(angle) * step * 0.57))
        pen.line(points, fill=(12, 12, 12), width=9)


def _fixed(pen: ImageDraw.ImageDraw, chance: random.Random) -> None:
    x, y = 640 + chance.randint(-60, 60), 680 + chance.randint(-20, 20)
    pen.ellipse((x - 340, y - 206, x + 340, y + 206), fill=(58, 58, 62))
    _iron(pen, x, y, (128, 132, 138))
    pen.ellipse((x - 48, y - 28, x + 48, y + 28), fill=(44, 110, 170))
    for side in (-1, 1):
        cone = x + side * (430 + chance.randint(-10, 20))
        pen.polygon(
            [(cone - 60, y + 90), (cone + 60, y + 90), (cone + 8, y - 110), (cone - 8, y - 110)], fill=(226, 96, 34)
        )
        pen.polygon(
            [(cone - 36, y + 10), (cone + 36, y + 10), (cone + 24, y - 36), (cone - 24, y - 36)], fill=(245, 242, 235)
        )
        pen.rectangle((cone - 80, y + 86, cone + 80, y + 104), fill=(190, 76, 24))


def _obstruction(pen: ImageDraw.ImageDraw, chance: random.Random) -> None:
    for row in range(3):
        for column in range(4 - row):
            left = 300 + column * 190 + row * 90 + chance.randint(-16, 16)
            top = 760 - row * 150 + chance.randint(-6, 6)
            colour = _shade((186, 140, 88), chance.randint(-24, 20))
            pen.rectangle((left, top, left + 176, top + 142), fill=colour, outline=(112, 78, 42), width=4)
            pen.rectangle((left + 76, top, left + 100, top + 142), fill=_shade(colour, 28))
            pen.line((left, top + 50, left + 176, top + 50), fill=(112, 78, 42), width=2)
    for sack in range(2):
        left = 930 + sack * 110 + chance.randint(-10, 10)
        pen.rounded_rectangle((left, 730, left + 150, 900), 48, fill=(224, 218, 200), outline=(150, 142, 120), width=4)
        pen.line((left + 40, 744, left + 110, 744), fill=(150, 142, 120), width=8)


def _bikes(pen: ImageDraw.ImageDraw, chance: random.Random) -> None:
    frames: tuple[Colour, ...] = ((42, 110, 178), (214, 168, 30), (62, 142, 86), (184, 58, 52))
    for number, frame in enumerate(frames):
        x, y = 190 + number * 250 + chance.randint(-24, 24), 760 + chance.randint(-50, 40)
        for wheel in (x - 92, x + 92):
            pen.ellipse((wheel - 78, y - 78, wheel + 78, y + 78), outline=(30, 30, 32), width=11)
            for spoke in range(0, 180, 30):
                dx, dy = math.cos(math.radians(spoke)) * 70, math.sin(math.radians(spoke)) * 70
                pen.line((wheel - dx, y - dy, wheel + dx, y + dy), fill=(120, 120, 122), width=2)
        pen.line([(x - 92, y), (x - 40, y - 110), (x + 60, y - 110), (x, y), (x - 92, y)], fill=frame, width=13)
        pen.line([(x, y), (x - 40, y - 110), (x - 52, y - 140)], fill=frame, width=13)
        pen.line([(x + 92, y), (x + 54, y - 160), (x + 16, y - 172)], fill=frame, width=13)
        pen.rounded_rectangle((x - 92, y - 158, x - 22, y - 138), 9, fill=(34, 30, 30))


def _rubbish(pen: ImageDraw.ImageDraw, chance: random.Random) -> None:
    pen.rectangle((250, 520, 470, 860), fill=(50, 116, 78), outline=(30, 78, 50), width=6)
    pen.polygon([(236, 520), (484, 520), (520, 430), (290, 420)], fill=(64, 138, 94), outline=(30, 78, 50))
    for _ in range(9):
        x, y, size = chance.randint(430, 980), chance.randint(700, 850), chance.randint(60, 112)
        pen.ellipse(
            (x - size, y - size * 0.8, x + size, y + size * 0.7), fill=_shade((40, 40, 46), chance.randint(0, 34))
        )
        pen.polygon(
            [(x - 14, y - size * 0.74), (x + 14, y - size * 0.74), (x + 26, y - size), (x - 24, y - size)],
            fill=(58, 58, 64),
        )
    colours: tuple[Colour, ...] = ((226, 220, 204), (198, 66, 54), (80, 150, 200), (232, 190, 70))
    for _ in range(26):
        x, y = chance.randint(320, 1090), chance.randint(840, 930)
        pen.rectangle((x, y, x + chance.randint(14, 44), y + chance.randint(8, 22)), fill=chance.choice(colours))


def _light(pen: ImageDraw.ImageDraw, chance: random.Random) -> None:
    pen.rectangle((0, 0, WIDTH, 400), fill=(32, 38, 62))
    for _ in range(60):
        x, y = chance.randrange(WIDTH), chance.randrange(300)
        pen.ellipse((x, y, x + 3, y + 3), fill=(206, 210, 226))
    for left in range(0, WIDTH, 210):
        pen.rectangle((left, chance.randint(210, 290), left + 190, 400), fill=(22, 26, 42))
    pen.rectangle((0, 400, WIDTH, HEIGHT), fill=(54, 56, 66))
    x = 560 + chance.randint(-50, 50)
    pen.rectangle((x, 130, x + 22, 880), fill=(112, 116, 124))
    pen.rectangle((x - 26, 860, x + 48, 896), fill=(84, 88, 96))
    pen.line([(x + 11, 136), (x + 110, 92), (x + 230, 96)], fill=(112, 116, 124), width=16)
    pen.polygon([(x + 200, 84), (x + 320, 92), (x + 312, 128), (x + 206, 120)], fill=(92, 96, 104))
    pen.ellipse((x + 222, 112, x + 298, 138), fill=(44, 44, 48), outline=(140, 140, 146), width=3)
    pen.line([(x + 240, 116), (x + 258, 130), (x + 276, 114)], fill=(170, 60, 50), width=5)


def _shade(colour: Colour, by: int) -> Colour:
    red, green, blue = (min(max(part + by, 0), 255) for part in colour)
    return red, green, blue


def _place() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "Sandbox"
    gps = exif.get_ifd(0x8825)
    gps.update({1: "N", 2: _degrees(LATITUDE), 3: "E", 4: _degrees(LONGITUDE)})
    return exif


def _degrees(value: float) -> tuple[float, float, float]:
    degrees = int(value)
    minutes = int((value - degrees) * 60)
    return float(degrees), float(minutes), round((value - degrees - minutes / 60) * 3600, 4)


SAMPLES: Final[dict[str, Callable[[ImageDraw.ImageDraw, random.Random], None]]] = {
    "cover": _cover,
    "fixed": _fixed,
    "obstruction": _obstruction,
    "bikes": _bikes,
    "rubbish": _rubbish,
    "light": _light,
}
