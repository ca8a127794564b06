"""What can be asked of the demo on the command line."""

import argparse
from dataclasses import dataclass, field
import json
import math
import os
from pathlib import Path
from typing import Any, NoReturn, override

from annotatedyaml import YAMLException, parse_yaml

from .errors import DemoError
from .process import KEY_VARIABLE

_REAL_SERVICE = "https://rivya.ai"
_SECONDS_ONCE = 8.0
_SECONDS_STAYING = 30.0
_TIMEOUT = 600


@dataclass(frozen=True, slots=True)
class Options:
    """A complete wish."""

    prompt: str | None
    params: dict[str, Any]
    model: str | None
    out: Path | None
    seconds: float
    timeout: float
    api_key: str | None = field(repr=False)
    base_url: str

    def action_data(self) -> dict[str, Any]:
        """Return the data of the action, naming only what was asked for."""
        data: dict[str, Any] = {"prompt": self.prompt, "timeout": self.timeout}
        if self.model is not None:
            data["model"] = self.model
        if self.params:
            data["params"] = self.params
        return data


class _Parser(argparse.ArgumentParser):
    """A parser whose errors end the demo like any other."""

    @override
    def error(self, message: str) -> NoReturn:
        """Say what is wrong instead of exiting with code 2."""
        raise DemoError(f"{message} (see scripts/demo --help)")


def parse(arguments: list[str] | None = None) -> Options:
    """Return what the command line asks for."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if (given.once is None) != (given.out is None):
        parser.error("--once and --out belong together")
    if given.once is None and (given.param or given.model):
        parser.error("--param and --model need --once")
    api_key = given.api_key or os.environ.get(KEY_VARIABLE) or None
    if given.base_url and not api_key:
        parser.error(f"--base-url needs --api-key or {KEY_VARIABLE}")
    seconds = _SECONDS_STAYING if given.once is None else _SECONDS_ONCE
    return Options(
        prompt=given.once,
        params=dict(given.param),
        model=given.model,
        out=given.out,
        seconds=given.seconds or seconds,
        timeout=given.timeout,
        api_key=api_key,
        base_url=(given.base_url or _REAL_SERVICE).rstrip("/"),
    )


def _parser() -> argparse.ArgumentParser:
    """Return the parser with all its texts."""
    parser = _Parser(
        prog="scripts/demo",
        description="A real Home Assistant with the Rivya integration, ready to use.",
        epilog="Without a key the service is simulated: no internet, no costs.",
    )
    add = parser.add_argument
    add("--once", metavar="PROMPT", help="generate one result, save it, stop")
    add(
        "--param",
        metavar="KEY=VALUE",
        type=_param,
        action="append",
        default=[],
        help="a parameter of the model",
    )
    add("--model", metavar="ID", help="the model; default: the integration's")
    add("--out", metavar="FILE", type=Path, help="where to save the result")
    add(
        "--seconds",
        metavar="N",
        type=_seconds,
        help="duration of a simulated generation",
    )
    add(
        "--timeout",
        metavar="N",
        type=_seconds,
        default=_TIMEOUT,
        help="how long to wait for the result, in seconds",
    )
    add(
        "--api-key",
        metavar="KEY",
        help=f"a key of the real service; {KEY_VARIABLE} is a better place for it",
    )
    add(
        "--base-url",
        metavar="URL",
        help=f"the real service's address; default: {_REAL_SERVICE}",
    )
    return parser


def _seconds(text: str) -> float:
    """Return a time that can be waited for."""
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a time in seconds")
    return seconds


def _param(text: str) -> tuple[str, Any]:
    """Return name and value, the value read as Home Assistant reads YAML."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"'{text}' is not KEY=VALUE")
    try:
        parsed = parse_yaml(value)
        json.dumps(parsed)
    except YAMLException, TypeError:
        return name, value  # dates and half sentences are meant as they stand
    return name, parsed
