"""The simulated service as a process beside Home Assistant."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import json
from pathlib import Path

from .homeassistant import REPOSITORY
from .process import Program

DEMO_KEY = "rvya_sk_demo"

_CREDITS = 1000
_START_DEADLINE = 120
_STOP_GRACE = 10


@dataclass(frozen=True, slots=True)
class Service:
    """A service to generate with."""

    base_url: str
    api_key: str = field(repr=False)


@asynccontextmanager
async def simulated_service(folder: Path, seconds: float) -> AsyncIterator[Service]:
    """Serve the simulated service, whose generations take the given time."""
    program = Program(
        "simulator", folder, "-m", "tests.simulator", "--port", "0", "--key", DEMO_KEY,
        "--credits", str(_CREDITS), "--seconds", str(seconds),
    )  # fmt: skip
    try:
        await program.start(cwd=REPOSITORY)
        line = await program.ready(lambda: _first_line(program.output), _START_DEADLINE)
        announced = json.loads(line)
        yield Service(announced["url"].rstrip("/"), announced["key"])
    finally:
        await program.stop(_STOP_GRACE)


def _first_line(output: Path) -> str | None:
    """Return the first line, once it is complete."""
    line, end, _ = output.read_text().partition("\n")
    return line if end else None
