"""Child processes that write to log files and never outlive the demo."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
import os
from pathlib import Path
import signal
import socket
import sys

from .errors import DemoError

LOOPBACK = "127.0.0.1"
KEY_VARIABLE = "RIVYA_API_KEY"

_POLL = 0.1
_TAIL = 15


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


class Program:
    """A Python program of the demo, run with the demo's own interpreter."""

    def __init__(self, name: str, folder: Path, *arguments: str) -> None:
        """Describe the program; its output goes to `folder`."""
        self.name = name
        self.arguments = arguments
        self.output = folder / f"{name}.out"
        self.log = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, cwd: Path) -> None:
        """Start the program, in a session of its own: Ctrl-C is for the demo alone."""
        environment = dict(os.environ)
        for private in (KEY_VARIABLE, "PYTHONPATH"):
            environment.pop(private, None)
        with self.output.open("ab") as output, self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self.arguments,
                cwd=cwd,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                start_new_session=True,
            )

    async def ready[T](self, probe: Callable[[], T | None], deadline: float) -> T:
        """Return what the probe finds, as soon as it finds something."""
        try:
            async with asyncio.timeout(deadline):
                while (found := probe()) is None:
                    self.check()
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise DemoError(
                self.complaint(f"was not ready after {deadline:.0f} s")
            ) from None
        return found

    def check(self) -> None:
        """Raise if the program has ended by itself."""
        if self._process is not None and self._process.returncode is not None:
            raise DemoError(
                self.complaint(
                    f"ended by itself (exit code {self._process.returncode})"
                )
            )

    def complaint(self, what: str) -> str:
        """Return a message with the end of the program's log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        tail = "\n".join(f"  | {line}" for line in text.splitlines()[-_TAIL:])
        return f"{self.name} {what}; the end of its log:\n{tail or '  | (empty)'}"

    async def stop(self, grace: float) -> None:
        """Ask the program to end, and end it when it does not."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            await self.kill()

    async def kill(self) -> None:
        """End the program and what it started, without a warning."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            await self._process.wait()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the program's own process group."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
