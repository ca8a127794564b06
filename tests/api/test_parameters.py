"""Parameters: natural types in, what the wire wants out, by the catalog's types."""

from dataclasses import replace
from typing import Any

from homeassistant.util.yaml import parse_yaml
import pytest

from custom_components.rivya.api import (
    Catalog,
    Parameter,
    RequestProblem,
    RivyaRequestError,
)


def parameter(kind: str, **facts: Any) -> Parameter:
    """Return a parameter of a kind."""
    return replace(Parameter.unknown("key", kind), **facts)


def select(*options: str) -> Parameter:
    """Return a select with these options."""
    return parameter("select", options=options)


def problem_of(tried: Parameter, value: object) -> RivyaRequestError:
    """Return the error that a value meets."""
    with pytest.raises(RivyaRequestError) as caught:
        tried.convert(value)
    assert caught.value.facts["parameter"] == "key"
    return caught.value


@pytest.mark.parametrize("kind", ["select", "number", "text", "array", "new"])
def test_none_means_nothing_to_send(kind: str) -> None:
    assert parameter(kind).convert(None) is None


@pytest.mark.parametrize(
    ("options", "value", "sent"),
    [
        (("10", "15"), 10, "10"),
        (("10", "15"), 10.0, "10"),
        (("10", "15"), "15", "15"),
        (("10", "15"), "15.0", "15"),
        (("true", "false"), True, "true"),
        (("true", "false"), False, "false"),
        (("true", "false"), "TRUE", "true"),
        (("0.5", "1"), 0.5, "0.5"),
        (("0.5", "1"), 1.0, "1"),
        (("portrait", "landscape"), "Landscape", "landscape"),
        (("Auto", "16:9"), "auto", "Auto"),
        (("16:9", "9:16"), "16:9", "16:9"),
        (("16:9", "9:16"), 969, "16:9"),
        (("16:9", "9:16"), 556, "9:16"),
        (("16:9", "9:16"), "969", "16:9"),
        (("1:1", "61"), 61, "61"),
        ((), "anything", "anything"),
        ((), 5, "5"),
        ((), True, "true"),
    ],
)
def test_an_option_is_meant_whatever_its_natural_type(
    options: tuple[str, ...], value: object, sent: str
) -> None:
    assert select(*options).convert(value) == sent


def test_what_yaml_makes_of_an_unquoted_ratio_is_that_ratio(shipped: Catalog) -> None:
    natural: object = parse_yaml("16:9")
    assert natural == 969
    checked = 0
    for model in shipped.models.values():
        for tried in model.parameters or ():
            for option in tried.options:
                assert tried.convert(parse_yaml(option)) == option
                checked += 1
    assert checked > 500


@pytest.mark.parametrize(
    "value", ["20", 20, 10.5, True, "", "1 0", "ten", "10:00", 10**400 // 10**390]
)
def test_what_is_no_option_is_refused_with_the_allowed_ones(value: object) -> None:
    error = problem_of(select("10", "15"), value)
    assert error.reason is RequestProblem.INVALID_OPTION
    assert error.facts["allowed"] == "10, 15"


def test_yes_is_not_the_number_one() -> None:
    error = problem_of(select("1", "0"), value=True)
    assert error.facts["value"] == "true"


@pytest.mark.parametrize(
    "value", [[], ["10"], {}, b"10", float("nan"), float("inf"), 10**400, 1e300]
)
@pytest.mark.parametrize("kind", ["select", "text"])
def test_a_list_is_no_text(kind: str, value: object) -> None:
    assert problem_of(parameter(kind), value).reason is RequestProblem.INVALID_TEXT


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("words", "words"),
        ("", None),
        (5, "5"),
        (5.0, "5"),
        (-1, "-1"),
        (0.25, "0.25"),
        (True, "true"),
        (2147483647, "2147483647"),
    ],
)
def test_a_scalar_becomes_text_and_an_empty_one_is_not_sent(
    value: object, sent: str | None
) -> None:
    assert parameter("text").convert(value) == sent


@pytest.mark.parametrize(
    ("value", "sent"),
    [(5, 5), (5.0, 5), ("5", 5), ("0.5", 0.5), (" 7 ", 7), (-1, -1), (0, 0)],
)
def test_a_number_is_sent_as_a_number(value: object, sent: float) -> None:
    converted = parameter("number").convert(value)
    assert converted == sent
    assert type(converted) is type(sent)


@pytest.mark.parametrize(
    "value",
    [
        True,
        "",
        "five",
        "nan",
        "inf",
        float("nan"),
        float("-inf"),
        [],
        {},
        10**400,
        1e300,
    ],
)
def test_what_is_no_number_is_refused(value: object) -> None:
    error = problem_of(parameter("number", minimum=0, maximum=9), value)
    assert error.reason is RequestProblem.INVALID_NUMBER


@pytest.mark.parametrize(
    ("low", "high", "value", "facts"),
    [
        (6, 30, 5, ("5", "6", "30")),
        (6, 30, 31, ("31", "6", "30")),
        (0.7, 1.2, 1.25, ("1.25", "0.7", "1.2")),
        (0, None, -1, ("-1", "0", "∞")),
        (None, 9, 10, ("10", "-∞", "9")),
    ],
)
def test_a_number_out_of_range_is_refused_with_the_range(
    low: float | None, high: float | None, value: float, facts: tuple[str, ...]
) -> None:
    tried = parameter("number", minimum=low, maximum=high)
    error = problem_of(tried, value)
    assert error.reason is RequestProblem.OUT_OF_RANGE
    assert tuple(error.facts[name] for name in ("value", "minimum", "maximum")) == facts


def test_the_ends_of_a_range_belong_to_it() -> None:
    tried = parameter("number", minimum=6, maximum=30, step=1)
    assert [tried.convert(value) for value in (6, 30)] == [6, 30]


def test_a_whole_step_wants_whole_numbers_and_any_other_is_the_services_business() -> (
    None
):
    error = problem_of(parameter("number", step=1), 6.5)
    assert error.reason is RequestProblem.NOT_A_WHOLE_NUMBER
    assert error.facts["value"] == "6.5"
    assert parameter("number", step=1).convert("6.0") == 6
    assert parameter("number", step=0.05).convert(0.33) == 0.33


def test_a_list_is_sent_as_it_is() -> None:
    lines = [{"voice": "Adam", "text": "Good morning"}]
    assert parameter("array").convert(lines) == lines


@pytest.mark.parametrize("value", [[], "words", {}, 5, True])
def test_a_list_must_be_one_and_not_empty(value: object) -> None:
    assert problem_of(parameter("array"), value).reason is RequestProblem.INVALID_LIST


@pytest.mark.parametrize("value", ["words", 5, True, [1], {"a": 1}])
def test_a_type_never_seen_before_is_sent_as_it_is(value: object) -> None:
    assert parameter("color").convert(value) == value


KNOWN = Parameter(
    key="key",
    type="select",
    required=False,
    default="10",
    minimum=1,
    maximum=20,
    step=1,
    options=("10", "15"),
    description="length",
)


def test_a_live_entry_corrects_what_it_has() -> None:
    live = {
        "required": True,
        "default": 15,
        "min": 0,
        "max": 30.5,
        "step": 0.5,
        "options": ["15", "20"],
        "description": "seconds",
    }
    assert KNOWN.overlaid(live) == Parameter(
        key="key",
        type="select",
        required=True,
        default=15,
        minimum=0,
        maximum=30.5,
        step=0.5,
        options=("15", "20"),
        description="seconds",
    )


def test_zero_and_false_are_values_too() -> None:
    required = replace(KNOWN, required=True)
    overlaid = required.overlaid({"required": False, "default": 0, "min": 0})
    assert (overlaid.required, overlaid.default, overlaid.minimum) == (False, 0, 0)


@pytest.mark.parametrize(
    "live",
    [
        {},
        dict.fromkeys(("required", "default", "min", "max", "step", "options")),
        {"required": "yes", "default": [], "min": "0", "max": {}, "step": True},
        {"options": "10", "description": 5},
        {"options": []},
        {"options": {"10": "ten"}},
        {"options": ["15", 20]},
        {"options": [{"value": "15"}, {"value": "20"}]},
        {"min": 10**400, "max": float("nan")},
        {"key": "other", "type": "number", "news": 1},
    ],
)
def test_a_live_entry_of_another_shape_changes_nothing(live: dict[str, Any]) -> None:
    assert KNOWN.overlaid(live) == KNOWN
