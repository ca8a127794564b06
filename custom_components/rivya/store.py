"""The ledger on disk: written before anything depends on it, never overwritten blindly.

Home Assistant's ``Store`` swallows write errors, does not sync and takes a broken file
for a first start; a record of money needs the opposite of all three. Its file format is
kept.

Two files: a small one with what is pending or has ended lately, written at every
change, and an archive of the rest, written now and then. What stands in both counts as
in the first.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
import os
from pathlib import Path
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.util.file import WriteError, write_utf8_file_atomic
import orjson

from .const import DOMAIN
from .ledger import Generation, Ledger

VERSION: Final = 1
MINOR_VERSION: Final = 1
_ARCHIVE_AFTER: Final = 50


class LedgerUnreadableError(HomeAssistantError):
    """A ledger is there but cannot be read. It is left as it is."""

    def __init__(self, path: Path) -> None:
        """Name the file."""
        super().__init__(
            translation_domain=DOMAIN,
            translation_key="ledger_unreadable",
            translation_placeholders={"file": f"{STORAGE_DIR}/{path.name}"},
        )


class LedgerStore:
    """Reads and writes the ledger of one account."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Name the files; nothing is read."""
        self._hass = hass
        folder = Path(hass.config.path(STORAGE_DIR))
        self._recent = folder / f"{DOMAIN}.{entry_id}"
        self._archive = folder / f"{DOMAIN}.{entry_id}.archive"
        self._archived: dict[str, Generation] = {}
        self._lock = asyncio.Lock()
        self._wanted = self._written = 0

    async def async_load(self) -> Ledger:
        """Return the ledger; an empty one where there is none yet.

        Raises:
            LedgerUnreadableError: A file is damaged, or from a newer version.

        """
        ledger, self._archived = await self._hass.async_add_executor_job(self._load)
        return ledger

    async def async_save(self, ledger: Ledger) -> None:
        """Return when the ledger, as it is now or newer, is known to be on disk.

        Several callers at once share one write.

        Raises:
            WriteError: It could not be written.

        """
        self._wanted += 1
        # A write that has begun ends before another begins, whoever is cancelled.
        write = self._hass.async_create_task(
            self._async_write_once(ledger, self._wanted), "rivya ledger"
        )
        await asyncio.shield(write)

    async def async_remove(self) -> None:
        """Delete the ledger: the account is removed."""
        async with self._lock:
            await self._hass.async_add_executor_job(
                _delete, (self._recent, self._archive)
            )

    async def _async_write_once(self, ledger: Ledger, wanted: int) -> None:
        """Write, unless somebody else has done so since it was wanted."""
        async with self._lock:
            if self._written >= wanted:
                return
            covered = self._wanted
            await self._async_write(ledger)
            self._written = covered

    async def _async_write(self, ledger: Ledger) -> None:
        """Write the recent part, and the archive before it when that is due."""
        recent = self._recent_of(ledger)
        if len(recent) - len(ledger.pending()) >= _ARCHIVE_AFTER:
            ended = [
                generation
                for generation in ledger.generations.values()
                if not generation.status.is_pending
            ]
            await self._hass.async_add_executor_job(_write, self._archive, ended, None)
            self._archived = {each.generation_id: each for each in ended}
            recent = self._recent_of(ledger)
        await self._hass.async_add_executor_job(
            _write, self._recent, recent, ledger.spent
        )

    def _recent_of(self, ledger: Ledger) -> list[Generation]:
        """Return what the archive does not hold, or not in this form."""
        return [
            generation
            for generation in ledger.generations.values()
            if generation.status.is_pending
            or self._archived.get(generation.generation_id) is not generation
        ]

    def _load(self) -> tuple[Ledger, dict[str, Generation]]:
        """Read both files; return the ledger and what of it the archive holds."""
        recent, spent = _read(self._recent)
        archive, _ = _read(self._archive)
        archived = {each.generation_id: each for each in archive}
        generations = archived | {each.generation_id: each for each in recent}
        return Ledger.of(generations.values(), spent), archived


def _read(path: Path) -> tuple[list[Generation], float]:
    """Return the generations and the credits spent that a file holds."""
    try:
        content = orjson.loads(path.read_bytes())
        if content["version"] != VERSION:
            raise LedgerUnreadableError(path)
        data: dict[str, Any] = content["data"]
        return (
            [Generation.from_dict(each) for each in data["generations"]],
            data.get("spent", 0),
        )
    except FileNotFoundError:
        return [], 0
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as err:
        raise LedgerUnreadableError(path) from err


def _write(path: Path, generations: Iterable[Generation], spent: float | None) -> None:
    """Put generations on disk: all of them or, on failure, none."""
    data = {"generations": list(generations)}
    content = {
        "version": VERSION,
        "minor_version": MINOR_VERSION,
        "key": path.name,
        "data": data if spent is None else data | {"spent": spent},
    }
    try:
        path.parent.mkdir(exist_ok=True)
        raw = orjson.dumps(content, datetime.isoformat, orjson.OPT_PASSTHROUGH_DATETIME)
    except (OSError, TypeError) as err:
        raise WriteError(err) from err
    write_utf8_file_atomic(os.fspath(path), raw, private=True, mode="wb")


def _delete(paths: Iterable[Path]) -> None:
    """Delete files that may not exist."""
    for path in paths:
        with suppress(FileNotFoundError):
            path.unlink()
