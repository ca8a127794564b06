"""Real media: an H.264 video, a picture, a tone, each showing what was asked for."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
import colorsys
from fractions import Fraction
import io
from pathlib import Path
import tempfile
from typing import TYPE_CHECKING
import wave
import zlib

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .records import Link
    from .results import ResultItem
    from .settings import Settings

    type Picture = NDArray[np.uint8]

FRAMES_PER_SECOND = 12
SAMPLES_PER_SECOND = 22050
MARGIN = 0.06
BAR = 0.03


class MediaCache:
    """Results, encoded when first fetched and kept for a while."""

    def __init__(self, settings: Settings) -> None:
        """Start empty."""
        self._settings = settings
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()

    async def get(self, link: Link) -> bytes:
        """Return the bytes of a result, encoded in a thread, once."""
        place = (link.task_id, link.index)
        async with self._one_at_a_time:
            if place not in self._kept:
                self._kept[place] = await asyncio.to_thread(render, link.item)
            self._kept.move_to_end(place)
            data = self._kept[place]
            while len(self._kept) > max(1, self._settings.cached_media):
                self._kept.popitem(last=False)
        return data


def render(item: ResultItem) -> bytes:
    """Return the file of an item."""
    match item.kind:
        case "video":
            return _video(item)
        case "image":
            return _image(item)
        case "audio":
            return _audio(item)


def _hue(item: ResultItem) -> float:
    """Return a colour of its own for every prompt and number, 0 to 1."""
    return (
        zlib.crc32(f"{item.number}{item.text}".encode("utf-8", "surrogatepass"))
        % 360
        / 360
    )


def _colour(hue: float, lightness: float) -> tuple[int, int, int]:
    """Return a colour as three bytes."""
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.55)
    return round(red * 255), round(green * 255), round(blue * 255)


def _card(item: ResultItem) -> Image.Image:
    """Return the still picture: the prompt, wrapped, on a colour of its own."""
    hue = _hue(item)
    picture = Image.new("RGB", (item.width, item.height), _colour(hue, 0.22))
    draw = ImageDraw.Draw(picture)
    size = max(10, min(item.width, item.height) // 14)
    font = ImageFont.load_default(size)
    left, top = round(item.width * MARGIN), round(item.height * MARGIN)
    room = max(1, round((item.height * (1 - 2 * MARGIN - BAR)) / (size * 1.3)))
    lines = _wrapped(item.text or "(no prompt)", draw, font, item.width - 2 * left)[
        :room
    ]
    draw.multiline_text(
        (left, top), "\n".join(lines), _colour(hue, 0.92), font, spacing=size * 0.3
    )
    return picture


def _wrapped(
    text: str,
    draw: ImageDraw.ImageDraw,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    width: int,
) -> list[str]:
    """Return text in lines no wider than a width, broken at spaces if there are any."""
    lines = [""]
    for word in text.encode("utf-8", "replace").decode().replace("\n", " ").split():
        line = f"{lines[-1]} {word}".strip()
        if draw.textlength(line, font) <= width:
            lines[-1] = line
            continue
        lines.append("")
        for sign in word:
            if lines[-1] and draw.textlength(lines[-1] + sign, font) > width:
                lines.append("")
            lines[-1] += sign
    return [line for line in lines if line]


def _image(item: ResultItem) -> bytes:
    """Return a PNG or JPEG."""
    file = io.BytesIO()
    _card(item).save(file, "JPEG" if item.extension == "jpg" else "PNG")
    return file.getvalue()


def _video(item: ResultItem) -> bytes:
    """Return an mp4 with its index in front, which the muxer moves within a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "result.mp4")
        with av.open(path, "w", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream(
                "libx264",
                FRAMES_PER_SECOND,
                options={"preset": "ultrafast", "crf": "28"},
            )
            stream.width, stream.height, stream.pix_fmt = (
                item.width,
                item.height,
                "yuv420p",
            )
            stream.codec_context.time_base = Fraction(1, FRAMES_PER_SECOND)
            for picture in _frames(item):
                container.mux(
                    stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24"))
                )
            container.mux(stream.encode())
        return path.read_bytes()


def _frames(item: ResultItem) -> Iterator[Picture]:
    """Yield the card again and again, with a bar that grows and the seconds."""
    card = _card(item)
    total = max(1, round(item.seconds * FRAMES_PER_SECOND))
    bright = _colour(_hue(item), 0.6)
    bar = item.height - max(2, round(item.height * BAR))
    for number in range(total):
        if number % FRAMES_PER_SECOND == 0:
            still = _with_seconds(card, item, number // FRAMES_PER_SECOND)
        picture = still.copy()
        picture[bar:, : max(1, round(item.width * (number + 1) / total))] = bright
        yield picture


def _with_seconds(card: Image.Image, item: ResultItem, second: int) -> Picture:
    """Return the card with the second that is running, lower right."""
    picture = card.copy()
    size = max(10, min(item.width, item.height) // 12)
    spot = (item.width * (1 - MARGIN), item.height * (1 - MARGIN - BAR))
    text = f"{second} / {item.seconds:g} s"
    ImageDraw.Draw(picture).text(
        spot, text, "white", ImageFont.load_default(size), anchor="rs"
    )
    return np.asarray(picture)


def _audio(item: ResultItem) -> bytes:
    """Return a WAV: a soft tone whose pitch follows the prompt, faded at both ends."""
    time = np.arange(round(item.seconds * SAMPLES_PER_SECOND)) / SAMPLES_PER_SECOND
    fade = np.minimum(1, np.minimum(time, time[::-1]) / 0.05)
    tone = np.sin(2 * np.pi * (220 + 220 * _hue(item)) * time) * fade * 0.3
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLES_PER_SECOND)
        sound.writeframes((tone * 32767).astype("<i2").tobytes())
    return file.getvalue()
