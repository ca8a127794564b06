"""Look into a video: python -m tests.demo.examine FILE CODEC SECONDS SHAPE."""

import sys

import av

_TOLERANCE = 0.5


def describe(file: str) -> tuple[str, float, str]:
    """Decode the whole video, and return its codec, its seconds and its shape."""
    with av.open(file) as container:
        stream = container.streams.video[0]
        times = [frame.time or 0.0 for frame in container.decode(stream)]
        shape = "landscape" if stream.width > stream.height else "portrait"
        seconds = times[-1] + 1 / float(stream.average_rate or 1)
        return stream.codec_context.name, seconds, shape


def main(file: str, codec: str, seconds: str, shape: str) -> str | None:
    """Return what is wrong with the video, if anything is."""
    found = describe(file)
    print(f"{file}: {found}")
    as_wanted = (found[0], found[2]) == (codec, shape)
    if as_wanted and abs(found[1] - float(seconds)) <= _TOLERANCE:
        return None
    return f"{file} should be {codec}, {seconds} s, {shape}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
