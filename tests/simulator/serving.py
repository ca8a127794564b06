"""Serving bytes: whole, or the one range that was asked for."""

import re

from aiohttp import web

_RANGE = re.compile(r"bytes=(?P<first>\d*)-(?P<last>\d*)", re.ASCII)


def serve_media(data: bytes, content_type: str, asked: str | None) -> web.Response:
    """Return an answer to GET (the server leaves the body out for HEAD)."""
    headers = {"Accept-Ranges": "bytes"}
    wanted = _RANGE.fullmatch((asked or "").replace(" ", ""))
    if wanted is None or not (wanted["first"] or wanted["last"]):
        # No range, or one of a form a server may ignore, such as several at once.
        return web.Response(body=data, content_type=content_type, headers=headers)
    first, last = _bounds(wanted["first"], wanted["last"], len(data))
    if first >= len(data) or last < first:
        headers["Content-Range"] = f"bytes */{len(data)}"
        return web.Response(status=416, headers=headers)
    headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    part = data[first : last + 1]
    return web.Response(
        status=206, body=part, content_type=content_type, headers=headers
    )


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """Return the first and last byte meant by a range, never past the end."""
    if not first:
        length = int(last)
        return max(0, size - length) if length else size, size - 1
    return int(first), min(int(last), size - 1) if last else size - 1
