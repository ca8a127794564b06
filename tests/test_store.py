"""The ledger on disk."""

import asyncio
from copy import replace
from datetime import UTC, datetime
import errno
import json
from pathlib import Path

import atomicwrites
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.util.file import WriteError
import pytest

from custom_components.rivya.ledger import Generation, Ledger, Status
from custom_components.rivya.store import LedgerStore, LedgerUnreadableError

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def generation(status: Status = Status.QUEUED) -> Generation:
    """Return a generation in some state."""
    new = Generation.new({"model": "sora-2", "prompt": "tide"}, status, NOW, "video")
    return replace(new, finished_at=None if status.is_pending else NOW)


@pytest.fixture
def store(hass: HomeAssistant) -> LedgerStore:
    """Return the store of an account."""
    return LedgerStore(hass, "account")


@pytest.fixture
def recent(storage: Path) -> Path:
    """Return the file of what is pending or has ended lately."""
    return storage / "rivya.account"


@pytest.fixture
def archive(storage: Path) -> Path:
    """Return the file of the rest."""
    return storage / "rivya.account.archive"


async def test_the_first_start_has_an_empty_ledger(store: LedgerStore) -> None:
    ledger = await store.async_load()
    assert not ledger.generations
    assert ledger.spent == 0


async def test_what_is_saved_is_on_disk_and_for_the_owner_only(
    store: LedgerStore, recent: Path
) -> None:
    ledger = Ledger.of([generation()], spent=7)
    await store.async_save(ledger)
    content = json.loads(recent.read_text())
    assert (content["version"], content["key"]) == (1, "rivya.account")
    assert len(content["data"]["generations"]) == 1
    assert recent.stat().st_mode & 0o077 == 0
    loaded = await store.async_load()
    assert loaded.generations == ledger.generations
    assert loaded.spent == 7


async def test_saving_works_while_home_assistant_is_stopping(
    hass: HomeAssistant, store: LedgerStore, recent: Path
) -> None:
    hass.set_state(CoreState.stopping)
    await store.async_save(Ledger.of([generation()], spent=0))
    assert recent.is_file()
    hass.set_state(CoreState.running)


async def test_a_failed_write_is_an_error_and_leaves_the_old_file(
    store: LedgerStore, recent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.async_save(Ledger.of([], spent=1))
    before = recent.read_bytes()

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(atomicwrites, "_proper_fsync", no_space)
        with pytest.raises(WriteError):
            await store.async_save(Ledger.of([generation()], spent=2))
    assert recent.read_bytes() == before
    await store.async_save(Ledger.of([], spent=3))
    assert (await store.async_load()).spent == 3


async def test_a_folder_that_cannot_be_made_is_a_write_error(
    store: LedgerStore, storage: Path
) -> None:
    if storage.exists():
        storage.rmdir()
    storage.write_text("in the way")
    with pytest.raises(WriteError):
        await store.async_save(Ledger())
    storage.unlink()


async def test_several_at_once_share_writes_and_all_are_on_disk(
    store: LedgerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger()
    written = []
    sync = atomicwrites._proper_fsync
    monkeypatch.setattr(
        atomicwrites, "_proper_fsync", lambda fd: written.append(fd) or sync(fd)
    )

    async def add() -> None:
        ledger.put(generation())
        await store.async_save(ledger)

    await asyncio.gather(*(add() for _ in range(20)))
    assert len((await store.async_load()).generations) == 20
    files_and_folders = 2
    assert files_and_folders <= len(written) <= 3 * files_and_folders


async def test_ended_generations_move_to_the_archive_and_stay_known(
    store: LedgerStore, recent: Path, archive: Path
) -> None:
    ledger = Ledger()
    running = generation()
    ledger.put(running)
    for _ in range(60):
        ledger.put(generation(Status.SUCCEEDED))
        await store.async_save(ledger)
    assert len(json.loads(archive.read_text())["data"]["generations"]) == 50
    assert len(json.loads(recent.read_text())["data"]["generations"]) == 11
    assert (await store.async_load()).generations == ledger.generations


async def test_what_was_archived_stays_archived_after_a_restart(
    hass: HomeAssistant, store: LedgerStore, recent: Path
) -> None:
    ledger = Ledger()
    for _ in range(55):
        ledger.put(generation(Status.SUCCEEDED))
    await store.async_save(ledger)
    again = LedgerStore(hass, "account")
    ledger = await again.async_load()
    ledger.put(generation())
    await again.async_save(ledger)
    assert len(json.loads(recent.read_text())["data"]["generations"]) == 1
    assert len((await again.async_load()).generations) == 56


@pytest.mark.parametrize(
    "statuses", [[Status.FAILED], [Status.PROCESSING, Status.FAILED]]
)
async def test_an_archived_generation_that_changes_counts_in_its_newer_form(
    hass: HomeAssistant, store: LedgerStore, statuses: list[Status]
) -> None:
    ledger = Ledger()
    unknown = generation(Status.UNKNOWN)
    ledger.put(unknown)
    for _ in range(55):
        ledger.put(generation(Status.SUCCEEDED))
    await store.async_save(ledger)
    for status in statuses:
        ledger.put(replace(unknown, status=status))
        await store.async_save(ledger)
    loaded = await LedgerStore(hass, "account").async_load()
    assert loaded.generations[unknown.generation_id].status is Status.FAILED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"version": 1, "data": {"gener',
        b"[]",
        b"null",
        b'{"version": 1}',
        b'{"version": 2, "data": {"generations": []}}',
        b'{"version": 1, "data": {"generations": [{"status": "queued"}]}}',
        b'{"version": 1, "data": {"generations": [5]}}',
        b'{"version": 1, "data": {"generations": 5}}',
    ],
)
@pytest.mark.parametrize("name", ["recent", "archive"])
async def test_a_ledger_that_cannot_be_read_is_an_error_and_stays_as_it_is(
    store: LedgerStore,
    storage: Path,
    request: pytest.FixtureRequest,
    name: str,
    content: bytes,
) -> None:
    storage.mkdir(exist_ok=True)
    path: Path = request.getfixturevalue(name)
    path.write_bytes(content)
    with pytest.raises(LedgerUnreadableError) as error:
        await store.async_load()
    assert path.name in error.value.translation_placeholders["file"]
    assert path.read_bytes() == content


async def test_removing_takes_both_files_and_does_not_mind_their_absence(
    store: LedgerStore, storage: Path
) -> None:
    await store.async_save(Ledger.of([generation(Status.FAILED)] * 60, spent=0))
    await store.async_remove()
    await store.async_remove()
    assert not list(storage.glob("rivya.*"))
