"""A model's parameters: what they accept, and their conversion for the wire.

People write ``n_frames: 10`` and ``remove_watermark: true``; the wire says ``"10"`` and
``"true"`` (API docs, create a generation: value types). The conversion follows the type
that the catalog gives a parameter, never its name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
import re
from typing import Any, Self

from .exceptions import RequestProblem, RivyaRequestError
from .models import number_or_none, text_or_none

# What Home Assistant's states and templates say for the two.
_TRUTHS = {"true": ("true", "on", "yes", "1"), "false": ("false", "off", "no", "0")}
_SEXAGESIMAL = re.compile(r"(\d+):([0-5]?\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a model."""

    key: str
    type: str
    """``select``, ``number``, ``text`` or ``array``; others may appear."""

    required: bool
    default: str | float | None
    """What the service takes when nothing is sent."""

    minimum: float | None
    maximum: float | None
    step: float | None
    options: tuple[str, ...]
    description: str | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a parameter of the shipped tables."""
        return cls(
            key=data["key"],
            type=data["type"],
            required=data["required"],
            default=data["default"],
            minimum=data["min"],
            maximum=data["max"],
            step=data["step"],
            options=tuple(data["options"] or ()),
            description=data["description"],
        )

    @classmethod
    def unknown(cls, key: str, kind: str) -> Self:
        """Return a parameter of which only the key and the type are known."""
        return cls(
            key=key,
            type=kind,
            required=False,
            default=None,
            minimum=None,
            maximum=None,
            step=None,
            options=(),
            description=None,
        )

    def overlaid(self, entry: Mapping[str, Any]) -> Self:
        """Return the parameter with what an entry of the live catalog adds or corrects.

        The shape ``{key, type, required, default, min, max, step, options}`` is not
        confirmed by the API docs: a member that is absent or of another type changes
        nothing.
        """
        listed = entry.get("options")
        options: tuple[str, ...] = ()
        if isinstance(listed, list) and all(isinstance(each, str) for each in listed):
            options = tuple(listed)
        required = entry.get("required")
        return replace(
            self,
            required=required if isinstance(required, bool) else self.required,
            default=_first(_scalar(entry.get("default")), self.default),
            options=options or self.options,
            description=text_or_none(entry.get("description")) or self.description,
            minimum=_first(number_or_none(entry.get("min")), self.minimum),
            maximum=_first(number_or_none(entry.get("max")), self.maximum),
            step=_first(number_or_none(entry.get("step")), self.step),
        )

    def convert(self, value: object) -> Any:
        """Return a value as the wire wants it, or None where there is nothing to send.

        Raises:
            RivyaRequestError: The parameter does not accept the value.

        """
        if value is None:
            return None
        match self.type:
            case "select":
                return self._option(value)
            case "number":
                return self._number(value)
            case "text":
                return self._text(value) or None
            case "array":
                return self._array(value)
        return value

    def _option(self, value: object) -> str:
        """Return the option that a value of any scalar type means."""
        text = self._text(value)
        if not self.options or text in self.options:
            return text
        if _TRUTHS.keys() == set(self.options):
            wanted = text.lower()
            for option, words in _TRUTHS.items():
                if wanted in words:
                    return option
        for option in self.options:
            if option.lower() == text.lower() or _same_number(option, value):
                return option
        raise RivyaRequestError(
            RequestProblem.INVALID_OPTION,
            parameter=self.key,
            value=text,
            allowed=", ".join(self.options),
        )

    def _number(self, value: object) -> float:
        """Return a number in range; whole ones without a fraction."""
        number = _number_of(value)
        if number is None:
            raise self._wrong_type(RequestProblem.INVALID_NUMBER)
        if self.step is not None and self.step % 1 == 0 and number % 1:
            raise RivyaRequestError(
                RequestProblem.NOT_A_WHOLE_NUMBER,
                parameter=self.key,
                value=_plain(number),
            )
        too_small = self.minimum is not None and number < self.minimum
        too_large = self.maximum is not None and number > self.maximum
        if too_small or too_large:
            raise RivyaRequestError(
                RequestProblem.OUT_OF_RANGE,
                parameter=self.key,
                value=_plain(number),
                minimum="-∞" if self.minimum is None else _plain(self.minimum),
                maximum="∞" if self.maximum is None else _plain(self.maximum),
            )
        return number

    def _text(self, value: object) -> str:
        """Return a scalar as text, the way the service spells it."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return value
        if (number := number_or_none(value)) is not None:
            return _plain(number)
        raise self._wrong_type(RequestProblem.INVALID_TEXT)

    def _array(self, value: object) -> list[Any]:
        """Return a list that is not empty; its inside is the service's business."""
        if not isinstance(value, list) or not value:
            raise self._wrong_type(RequestProblem.INVALID_LIST)
        return value

    def _wrong_type(self, problem: RequestProblem) -> RivyaRequestError:
        """Return the error for a value of the wrong kind."""
        return RivyaRequestError(problem, parameter=self.key)


def _scalar(value: object) -> str | float | None:
    """Return a text or a number, or None for anything else."""
    return value if isinstance(value, str) else number_or_none(value)


def _first[T](value: T | None, otherwise: T) -> T:
    """Return a value, or the other one where it is absent."""
    return otherwise if value is None else value


def _number_of(value: object) -> float | None:
    """Return the finite number that a number or a text of one stands for."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return number_or_none(value)


def _same_number(option: str, value: object) -> bool:
    """Tell whether a number stands for an option such as ``0.5`` or ``16:9``.

    YAML reads an unquoted ``16:9`` as a number to the base 60: 969.
    """
    if (number := _number_of(value)) is None:
        return False
    if match := _SEXAGESIMAL.fullmatch(option):
        return number == int(match[1]) * 60 + int(match[2])
    return number == _number_of(option)


def _plain(number: float) -> str:
    """Return a number without a needless fraction or exponent."""
    return str(int(number)) if number == int(number) else str(number)
