#!/usr/bin/env python3
"""Draw the project's images: .venv-demo/bin/python scripts/brand.py.

A play button through which a river runs. Everything is made here from scratch; the word
is set in the font that comes with Pillow (Aileron, CC0).
"""

from math import pi, sin
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps

FOLDER = Path(__file__).parents[1] / "custom_components" / "rivya" / "brand"

SIZE = 2048  # everything is drawn at this size, then reduced
ICON, LOGO = 256, 160

type Colour = tuple[int, int, int]

LIGHT: tuple[Colour, Colour, Colour] = (84, 60, 226), (0, 178, 190), (38, 38, 66)
DARK: tuple[Colour, Colour, Colour] = (140, 122, 255), (52, 216, 220), (240, 240, 250)


def play_button() -> Image.Image:
    """Return the mask of a triangle with round corners that fills the height."""
    radius = 230
    half = SIZE - 2 * radius
    corners = [(0, radius), (0, radius + half), (half * 3**0.5 / 2, radius + half / 2)]
    left = (SIZE - corners[2][0]) / 2
    points = [(left + x, y) for x, y in corners]
    mask = Image.new("L", (SIZE, SIZE))
    draw = ImageDraw.Draw(mask)
    draw.polygon(points, fill=255)
    for (x, y), following in zip(points, points[1:] + points[:1], strict=True):
        draw.line([(x, y), following], fill=255, width=2 * radius)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return mask


def river() -> Image.Image:
    """Return the mask of the water: two bands of waves, to be cut out."""
    mask = Image.new("L", (SIZE, SIZE))
    draw = ImageDraw.Draw(mask)
    for level, width in ((0.53, 0.075), (0.74, 0.075)):
        steps = range(0, SIZE + 1, 8)
        upper = [(x, SIZE * level + wave(x)) for x in steps]
        lower = [(x, y + SIZE * width) for x, y in reversed(upper)]
        draw.polygon(upper + lower, fill=255)
    return mask


def wave(x: float) -> float:
    """Return how far the water's surface is above or below its level."""
    return 0.042 * SIZE * sin(2 * pi * x / (0.72 * SIZE))


def mark(above: Colour, below: Colour) -> Image.Image:
    """Return the coloured mark on a transparent ground."""
    shades = Image.linear_gradient("L").resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    image = ImageOps.colorize(shades, above, below).convert("RGBA")
    image.putalpha(ImageChops.subtract(play_button(), river()))
    return image


def word(colour: Colour) -> Image.Image:
    """Return the name, trimmed."""
    image = Image.new("RGBA", (2 * SIZE, SIZE), (*colour, 0))
    font = ImageFont.load_default(SIZE // 2)
    draw = ImageDraw.Draw(image)
    draw.text((99, 99), "Rivya", (*colour, 255), font, stroke_width=14)
    return image.crop(image.getbbox())


def logo(symbol: Image.Image, name: Image.Image) -> Image.Image:
    """Return mark and name side by side, trimmed."""
    symbol = symbol.crop(symbol.getbbox())
    gap = SIZE // 8
    width = symbol.width + gap + name.width
    image = Image.new("RGBA", (width, SIZE))
    image.paste(symbol, (0, (SIZE - symbol.height) // 2))
    image.paste(name, (symbol.width + gap, SIZE // 4))
    return image.crop(image.getbbox())


def save(image: Image.Image, name: str, height: int) -> None:
    """Write the image in its normal and its double size."""
    for suffix, pixels in (("", height), ("@2x", 2 * height)):
        size = (round(image.width * pixels / image.height), pixels)
        reduced = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)
        reduced.save(FOLDER / f"{name}{suffix}.png", optimize=True)


def main() -> None:
    """Write all eight images."""
    FOLDER.mkdir(exist_ok=True)
    for prefix, (above, below, text) in (("", LIGHT), ("dark_", DARK)):
        symbol = mark(above, below)
        save(symbol, f"{prefix}icon", ICON)
        save(logo(symbol, word(text)), f"{prefix}logo", LOGO)


if __name__ == "__main__":
    main()
