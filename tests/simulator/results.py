"""What a generation will result in, read from its model and params."""

from collections.abc import Mapping
from dataclasses import dataclass
import re
from typing import Any, Literal

type Kind = Literal["video", "image", "audio"]

LONG_SIDE = {"video": 640, "image": 768}
DURATION_KEYS = ("n_frames", "duration", "duration_seconds")
ASPECT_KEYS = ("aspect_ratio", "aspectRatio", "image_size", "imageSize", "size")
NAMED_ASPECTS = {
    "landscape": (16, 9),
    "portrait": (9, 16),
    "square": (1, 1),
    "square_hd": (1, 1),
}
MOST = 60.0
DEFAULT_SECONDS = {"video": 5.0, "audio": 3.0}
CONTENT_TYPES = {
    "mp4": "video/mp4",
    "png": "image/png",
    "jpg": "image/jpeg",
    "wav": "audio/wav",
}

_RATIO = re.compile(
    r"(?P<name>landscape_|portrait_)?(?P<a>\d+)\s*[:x_]\s*(?P<b>\d+)", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class ResultItem:
    """One file to be made: small in pixels, right in length and shape."""

    kind: Kind
    extension: str
    text: str
    """The prompt, to be seen (or, as a tone, heard) in the result."""
    number: int = 1
    width: int = 0
    height: int = 0
    seconds: float = 0.0

    @property
    def content_type(self) -> str:
        """The media type the file is served with."""
        return CONTENT_TYPES[self.extension]


def plan(
    table: Mapping[str, Any], params: Mapping[str, Any], prompt: str | None
) -> list[ResultItem]:
    """Return the files a generation will make, the primary one first."""
    values = {param["key"]: param["default"] for param in table["params"]} | dict(
        params
    )
    text = prompt or _spoken(params)
    if table["category"] == "audio":
        return [
            ResultItem(
                kind="audio",
                extension="wav",
                text=text,
                seconds=_seconds("audio", values),
            )
        ]
    if table["category"] == "image":
        return _images(values, params, text)
    width, height = dimensions("video", _aspect(values))
    video = ResultItem(
        kind="video",
        extension="mp4",
        text=text,
        width=width,
        height=height,
        seconds=_seconds("video", values),
    )
    if str(values.get("return_last_frame")).lower() != "true":
        return [video]
    return [
        video,
        ResultItem(
            kind="image",
            extension="png",
            text=text,
            number=2,
            width=width,
            height=height,
        ),
    ]


def _images(
    values: Mapping[str, Any], params: Mapping[str, Any], text: str
) -> list[ResultItem]:
    """Return one image or `max_images`; JPEG only when the request asked for it."""
    wanted = str(
        params.get("output_format") or params.get("outputFormat") or "png"
    ).lower()
    extension = "jpg" if wanted in {"jpg", "jpeg"} else "png"
    width, height = dimensions("image", _aspect(values))
    return [
        ResultItem(
            kind="image",
            extension=extension,
            text=text,
            number=number,
            width=width,
            height=height,
        )
        for number in range(1, round(_number(values.get("max_images"), 1)) + 1)
    ]


def dimensions(
    kind: Literal["video", "image"], aspect: tuple[int, int]
) -> tuple[int, int]:
    """Return a small even width and height of an aspect ratio."""
    wide, high = aspect
    scale = LONG_SIDE[kind] / max(wide, high)
    return max(2, round(wide * scale / 2) * 2), max(2, round(high * scale / 2) * 2)


def parse_aspect(value: object) -> tuple[int, int] | None:
    """Return the ratio of "16:9", "1024x1536", "landscape", "portrait_4_3", or None."""
    if not isinstance(value, str):
        return None
    if value.lower() in NAMED_ASPECTS:
        return NAMED_ASPECTS[value.lower()]
    if not (match := _RATIO.fullmatch(value)) or 0 in (
        sides := (int(match["a"]), int(match["b"]))
    ):
        return None
    if not match["name"]:
        return sides
    return (
        (max(sides), min(sides))
        if match["name"].lower() == "landscape_"
        else (min(sides), max(sides))
    )


def _aspect(values: Mapping[str, Any]) -> tuple[int, int]:
    """Return the first ratio a known key gives; `auto` and the like become 16:9."""
    ratios = (parse_aspect(values.get(key)) for key in ASPECT_KEYS)
    return next((ratio for ratio in ratios if ratio), (16, 9))


def _seconds(kind: Literal["video", "audio"], values: Mapping[str, Any]) -> float:
    """Return the length that was asked for, or the kind's own."""
    asked = (values[key] for key in DURATION_KEYS if values.get(key) is not None)
    return _number(next(asked, None), DEFAULT_SECONDS[kind])


def _number(value: object, default: float) -> float:
    """Return the number in a value, or the default for what makes no sense."""
    try:
        number = float(str(value))
    except ValueError:
        return default
    return number if 0 < number <= MOST else default


def _spoken(params: Mapping[str, Any]) -> str:
    """Return the text of a dialogue, for models that build their prompt from it."""
    lines = params.get("dialogue")
    if not isinstance(lines, list):
        return ""
    return "\n".join(f"{line['voice']}: {line['text']}" for line in lines)
