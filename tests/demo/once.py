"""One generation: perform the action, wait for the result, keep it in a file."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import sys
from typing import Any

import aiohttp

from .api import HomeAssistantApi
from .errors import DemoError

type Record = dict[str, Any]

_ATTEMPTS = 3
_PAUSE = 1
_CHUNK = 1 << 16
_STALL = aiohttp.ClientTimeout(total=None, connect=30, sock_read=60)


@contextmanager
def place_for(path: Path) -> Iterator[Path]:
    """Give a new file beside `path`, to replace it once complete."""
    if path.exists() and not path.is_file():
        raise DemoError(f"{path} is not a file")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.touch(exist_ok=False)
    except OSError as error:
        raise DemoError(f"{path} cannot be written: {error.strerror}") from error
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


async def generate(api: HomeAssistantApi, data: Record) -> Record:
    """Perform `rivya.generate` and return the record of a generation that succeeded."""
    record = await api.perform("rivya.generate", {**data, "wait": True})
    name = f"Generation {record['generation_id']} (task {record['task_id']})"
    if record.get("timed_out"):
        spent = f"was not finished after {data['timeout']:g} s"
        raise DemoError(f"{name} {spent}; the service goes on with it")
    if record["status"] != "succeeded":
        error = record.get("error") or {}
        reason = error.get("message") or error.get("code") or "no reason given"
        raise DemoError(f"{name} ended as {record['status']}: {reason}")
    if not record["source_url"]:
        raise DemoError(f"{name} succeeded, but the service names no result")
    return record


async def save(url: str, path: Path) -> None:
    """Fetch the result, with a few attempts: it is paid for."""
    async with aiohttp.ClientSession(timeout=_STALL) as session:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await _fetch(session, url, path)
            except (aiohttp.ClientError, TimeoutError) as error:
                if attempt == _ATTEMPTS:
                    raise DemoError(
                        f"The result could not be fetched: {error!r}"
                    ) from error
                print(
                    f"The result could not be fetched yet ({error!r})", file=sys.stderr
                )
                await asyncio.sleep(_PAUSE)
            else:
                return


async def _fetch(session: aiohttp.ClientSession, url: str, path: Path) -> None:
    """Write what the address answers to the file."""
    async with session.get(url, raise_for_status=True) as response:
        with path.open("wb") as file:
            async for chunk in response.content.iter_chunked(_CHUNK):
                file.write(chunk)
