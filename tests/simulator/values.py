"""One value of one parameter: right by its type, or refused."""

from collections.abc import Mapping
import math
from typing import Any
from urllib.parse import urlsplit

from .errors import invalid
from .settings import Settings

HUGE = 1e300
LINE_FIELDS = ("voice", "text")


def accepted_value(
    param: Mapping[str, Any], value: object, settings: Settings
) -> object:
    """Return a value checked by its type, coerced first where the settings say so."""
    name = f"params.{param['key']}"
    if settings.coerce_params:
        value = _coerced(param["type"], value)
    match param["type"]:
        case "select":
            _check_option(name, value, param["options"])
        case "number":
            step = param["step"] if settings.enforce_step else None
            _check_number(name, value, param, step)
        case "array":
            _check_dialogue(name, value)
        case _ if not isinstance(value, str):
            raise invalid(f"{name} must be a string.")
    return value


def is_web_url(value: str) -> bool:
    """Return whether a string is an absolute web address."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _check_option(name: str, value: object, options: list[str] | None) -> None:
    """Refuse what is not one of a select's strings."""
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string.")
    if options is not None and value not in options:
        raise invalid(f"{name} must be one of {', '.join(options)}.")


def _check_number(
    name: str, value: object, param: Mapping[str, Any], step: float | None
) -> None:
    """Refuse what is not a finite JSON number within its range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(f"{name} must be a number.")
    if not -HUGE < value < HUGE:  # NaN and infinity, too
        raise invalid(f"{name} must be a number.")
    low, high = param["min"], param["max"]
    if (low is not None and value < low) or (high is not None and value > high):
        raise invalid(f"{name} must be between {low} and {high}.")
    steps = 0.0 if step is None else (value - (low or 0)) / step
    if not math.isclose(steps, round(steps), abs_tol=1e-6):
        raise invalid(f"{name} must be a multiple of {step}.")


def _check_dialogue(name: str, value: object) -> None:
    """Refuse what is not a list of spoken lines."""
    if not isinstance(value, list) or not value:
        raise invalid(f"{name} must be a list of lines.")
    for line in value:
        fields = line if isinstance(line, dict) else {}
        if not all(isinstance(fields.get(key), str) for key in LINE_FIELDS):
            raise invalid(f"{name}: every line needs voice and text.")


def _coerced(kind: str, value: object) -> object:
    """Return a value as a lenient service would read it."""
    if kind == "select" and isinstance(value, bool):
        return str(value).lower()
    if kind == "select" and isinstance(value, int | float):
        return str(value)
    if kind == "number" and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
