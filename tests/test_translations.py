"""Every text that the code asks for is there, and none that nobody asks for."""

import ast
from collections.abc import Iterator, Mapping
import json
from pathlib import Path
import re
from string import Formatter
from typing import Any

from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.util.yaml import load_yaml_dict
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

import custom_components.rivya
from custom_components.rivya import config_flow, errors, event, sensor
from custom_components.rivya.api import (
    Catalog,
    RequestProblem,
    RivyaError,
    RivyaRequestError,
    prepare_request,
)
from custom_components.rivya.const import DOMAIN
from custom_components.rivya.ledger import Status
from custom_components.rivya.repairs import async_create_fix_flow
from tests.simulator import Simulator

from .conftest import Act, Time

PACKAGE = Path(custom_components.rivya.__file__).parent
TRANSLATIONS = sorted((PACKAGE / "translations").glob("*.json"))
ENGLISH: dict[str, Any] = json.loads((PACKAGE / "translations/en.json").read_bytes())
MODULES = {path: ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}
FLOW = MODULES[PACKAGE / "config_flow.py"]


@pytest.fixture(autouse=True)
def _integration() -> None:
    """Most of these tests need no Home Assistant."""


def texts(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text with the path to it."""
    for key, value in tree.items():
        if isinstance(value, str):
            yield f"{path}{key}", value
        else:
            yield from texts(value, f"{path}{key}.")


def fields_of(text: str) -> set[str]:
    """Return the placeholders of a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call, dict[str, ast.expr]]]:
    """Yield every call with the last part of what is called, and its keywords."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).split(".")[-1]
            yield (
                name,
                node,
                {each.arg: each.value for each in node.keywords if each.arg},
            )


def constant(node: ast.expr | None) -> str | None:
    """Return the text that an expression simply is."""
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else None


def placeholders_of(node: ast.expr | None) -> set[str]:
    """Return the keys of a dictionary as it is written."""
    keys = node.keys if isinstance(node, ast.Dict) else []
    return {text for key in keys if (text := constant(key))}


def translated_by(tree: ast.AST, kind: str) -> dict[str, set[str]]:
    """Return each translation key a module writes out, with what it supplies."""
    return {
        key: placeholders_of(keywords.get("translation_placeholders"))
        for name, _, keywords in calls(tree)
        if (key := constant(keywords.get("translation_key"))) and kind == kind_of(name)
    }


def kind_of(name: str) -> str:
    """Return what is translated where something of this name is called."""
    if name.endswith("Description"):
        return "entity"
    return "issues" if name == "async_create_issue" else "exceptions"


def written_out(kind: str) -> dict[str, set[str]]:
    """Return what all modules together write out."""
    return {
        key: supplied
        for tree in MODULES.values()
        for key, supplied in translated_by(tree, kind).items()
    }


def test_the_search_for_keys_tells_kinds_apart() -> None:
    tree = ast.parse(
        "raise E(translation_domain=D, translation_key='a',"
        " translation_placeholders={'x': 1})\n"
        "ir.async_create_issue(h, D, i, translation_key='b')\n"
        "SensorEntityDescription(key='c', translation_key='c')\n"
        "E(translation_key=found)"
    )
    assert translated_by(tree, "exceptions") == {"a": {"x"}}
    assert translated_by(tree, "issues") == {"b": set()}
    assert translated_by(tree, "entity") == {"c": set()}


# What holds for every text.


def test_there_are_no_texts_of_kinds_that_nobody_uses() -> None:
    assert ENGLISH.keys() == {
        "config",
        "entity",
        "exceptions",
        "issues",
        "options",
        "selector",
        "services",
    }


def test_texts_are_plain_text() -> None:
    forbidden = re.compile(
        r"https?:|www\.|</?[a-zA-Z]|'\{\w+\}'|\[%key|\s$|^\s|  |\n", re.MULTILINE
    )
    assert [path for path, text in texts(ENGLISH) if forbidden.search(text)] == []
    for bad in ("see https://x.y", "a <b>b</b>", "not '{x}'", "x ", "[%key:a%]"):
        assert forbidden.search(bad)


def test_placeholders_are_words() -> None:
    odd = [
        path
        for path, text in texts(ENGLISH)
        for name in fields_of(text)
        if not re.fullmatch(r"[a-z_]+", name)
    ]
    assert odd == []


@pytest.mark.parametrize("path", TRANSLATIONS, ids=lambda path: path.stem)
def test_a_language_has_the_keys_and_placeholders_of_english(path: Path) -> None:
    language = json.loads(path.read_bytes())
    assert {each: fields_of(text) for each, text in texts(language)} == {
        each: fields_of(text) for each, text in texts(ENGLISH)
    }


# Flows.


def assert_form_is_translated(form: Any, step: dict[str, Any], errors: Any) -> None:
    """Compare a form with its texts: fields, sections, placeholders."""
    schema = form["data_schema"].schema
    sections = {
        str(marker): field
        for marker, field in schema.items()
        if isinstance(field, section)
    }
    names = {str(marker) for marker in schema} - sections.keys()
    assert step["data"].keys() == step["data_description"].keys() == names
    assert step.get("sections", {}).keys() == sections.keys()
    for name, inner in sections.items():
        names = {str(marker) for marker in inner.schema.schema}
        described = step["sections"][name]
        assert described["data"].keys() == described["data_description"].keys() == names
        assert described["name"]
    needed = {
        name for _, text in (*texts(step), *texts(errors)) for name in fields_of(text)
    }
    assert needed <= (form["description_placeholders"] or {}).keys()


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_every_step_is_translated(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    config = ENGLISH["config"]
    forms = [
        await hass.config_entries.flow.async_init(
            DOMAIN, context={"source": SOURCE_USER}
        ),
        await entry.start_reauth_flow(hass),
        await entry.start_reconfigure_flow(hass),
    ]
    assert {form["step_id"] for form in forms} == config["step"].keys()
    for form in forms:
        step = config["step"][form["step_id"]]
        assert_form_is_translated(form, step, config["error"])
    form = await hass.config_entries.options.async_init(entry.entry_id)
    assert {form["step_id"]} == ENGLISH["options"]["step"].keys()
    assert ENGLISH["options"].keys() == {"step"}
    assert_form_is_translated(form, ENGLISH["options"]["step"][form["step_id"]], {})


def form_errors() -> set[str]:
    """Return every error that the config flow can show."""
    keys = {key for _, key in config_flow._ERRORS} | {
        *config_flow._AUTH_ERRORS.values()
    }
    for node in ast.walk(FLOW):
        if isinstance(node, ast.Assign) and "errors[" in ast.unparse(node.targets[0]):
            keys.add(constant(node.value) or "")
        elif isinstance(node, ast.FunctionDef) and node.name == "_error_key":
            keys |= {constant(each) or "" for each in ast.walk(node) if is_text(each)}
            keys.discard(ast.get_docstring(node) or "")
    keys |= {
        constant(call.args[0]) or ""
        for name, call, _ in calls(FLOW)
        if name == "ValueError"
    }
    return keys - {""}


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def reasons(tree: ast.AST) -> set[str]:
    """Return why a module's flows can abort, as far as it is written out."""
    return {
        reason
        for name, _, keywords in calls(tree)
        if name == "async_abort" and (reason := constant(keywords.get("reason")))
    }


def test_every_error_of_the_config_flow_is_translated() -> None:
    assert ENGLISH["config"]["error"].keys() == form_errors()


def test_every_end_of_the_config_flow_is_translated() -> None:
    successes = {"reauth_successful", "reconfigure_successful"}
    assert ENGLISH["config"]["abort"].keys() == reasons(FLOW) | successes
    assert not any(fields_of(text) for text in ENGLISH["config"]["abort"].values())


# Repairs.


def test_every_repair_is_translated() -> None:
    raised = written_out("issues")
    assert ENGLISH["issues"].keys() == raised.keys()
    for key, supplied in raised.items():
        assert fields_of(ENGLISH["issues"][key]["title"]) <= supplied


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_every_step_of_a_repair_is_translated(
    hass: HomeAssistant, rivya: Simulator, account: MockConfigEntry
) -> None:
    fix_flow = ENGLISH["issues"]["default_model_gone"]["fix_flow"]
    flow = await async_create_fix_flow(hass, "", {"entry_id": account.entry_id})
    flow.hass, flow.handler, flow.flow_id = hass, DOMAIN, "flow"
    form = await flow.async_step_init()  # type: ignore[attr-defined]
    assert fix_flow["step"].keys() == {form["step_id"]}
    assert_form_is_translated(form, fix_flow["step"][form["step_id"]], {})
    assert fix_flow["abort"].keys() == reasons(MODULES[PACKAGE / "repairs.py"])
    assert ir.async_get(hass).issues == {}


# Exceptions.


def test_every_exception_is_translated_and_gets_its_placeholders() -> None:
    supplied = written_out("exceptions")
    known = {*errors.placeholders(RivyaError(""))}
    supplied |= dict.fromkeys(errors._KEYS.values(), known)
    for problem in RequestProblem:
        facts = [{*refusal.facts} for refusal in refusals(problem)]
        supplied[problem.value] = set.intersection(*facts)
    supplied["unknown_parameter_far"] = supplied["unknown_parameter"]
    messages = {key: text["message"] for key, text in ENGLISH["exceptions"].items()}
    assert messages.keys() == supplied.keys()
    assert {
        key: missing
        for key, text in messages.items()
        if (missing := fields_of(text) - supplied[key])
    } == {}


def test_every_exception_says_what_happened_to_the_credits() -> None:
    silent = [
        key
        for key, text in ENGLISH["exceptions"].items()
        if "credits" not in text["message"]
    ]
    assert silent == []


MODEL = {
    "id": "model",
    "category": "video",
    "api_status": "available",
    "max_prompt_length": 5,
    "params": [
        {"key": "choice", "type": "select", "options": ["a", "b"]},
        {"key": "number", "type": "number", "min": 1, "max": 5, "step": 1},
        {"key": "text", "type": "text"},
        {"key": "list", "type": "array"},
    ],
}
DEMANDING = MODEL | {
    "id": "demanding",
    "params": [{"key": "must", "type": "text", "required": True}],
}
CATALOG = [
    MODEL,
    DEMANDING,
    {"id": "chat", "category": "chat", "api_status": "available"},
    {"id": "later", "category": "video", "api_status": "coming_soon"},
]
MISTAKES: dict[RequestProblem, list[tuple[str, str | None, dict[str, Any]]]] = {
    RequestProblem.CHAT_MODEL: [("chat", "A boat", {})],
    RequestProblem.INVALID_LIST: [("model", None, {"list": []})],
    RequestProblem.INVALID_NUMBER: [("model", None, {"number": "many"})],
    RequestProblem.INVALID_OPTION: [("model", None, {"choice": "c"})],
    RequestProblem.INVALID_PROMPT: [("model", "\ud800", {})],
    RequestProblem.INVALID_REFERENCES: [
        ("demanding", None, {"referenceMediaItems": "a.png"})
    ],
    RequestProblem.INVALID_TEXT: [("model", None, {"text": []})],
    RequestProblem.INVALID_VALUE: [("model", None, {"list": [float("nan")]})],
    RequestProblem.MISSING_PARAMETER: [("demanding", None, {})],
    RequestProblem.MODEL_NOT_AVAILABLE: [("later", "A boat", {})],
    RequestProblem.NOT_A_WHOLE_NUMBER: [("model", None, {"number": 1.5})],
    RequestProblem.OUT_OF_RANGE: [("model", None, {"number": 6})],
    RequestProblem.PROMPT_REQUIRED: [("sora-2", None, {})],
    RequestProblem.PROMPT_TOO_LONG: [("model", "A boat", {})],
    RequestProblem.UNKNOWN_PARAMETER: [
        ("model", None, {"numbre": 1}),
        ("model", None, {"zzz": 1}),
    ],
}


def refusals(problem: RequestProblem) -> list[RivyaRequestError]:
    """Make each mistake of a kind and return what is raised."""
    catalog = Catalog.shipped().overlaid(CATALOG)
    raised = []
    for model_id, prompt, params in MISTAKES[problem]:
        with pytest.raises(RivyaRequestError) as refusal:
            prepare_request(catalog, model_id, prompt, params)
        assert refusal.value.reason is problem
        raised.append(refusal.value)
    return raised


@pytest.mark.parametrize("problem", RequestProblem)
def test_a_mistake_is_told_in_a_whole_sentence(problem: RequestProblem) -> None:
    for refusal in refusals(problem):
        text = ENGLISH["exceptions"][errors.translation_key(refusal)]["message"]
        sentence = text.format_map(errors.placeholders(refusal))
        assert not re.search(r"[{}]|None|: \.|\(\)|  ", sentence)


def test_only_an_unknown_parameter_may_have_no_neighbour() -> None:
    naming = {
        problem
        for problem in RequestProblem
        if any("nearest" in refusal.facts for refusal in refusals(problem))
    }
    assert naming == {RequestProblem.UNKNOWN_PARAMETER}


# Actions and their selectors.

ACTIONS = load_yaml_dict(str(PACKAGE / "services.yaml"))


def parts(fields: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Return the fields of an action, those in sections too, and the sections."""
    flat: dict[str, Any] = {}
    sections = set()
    for name, field in fields.items():
        if "fields" in field:
            sections.add(name)
            flat |= field["fields"]
        else:
            flat[name] = field
    return flat, sections


@pytest.mark.parametrize("name", ACTIONS)
def test_every_field_and_section_of_an_action_is_translated(name: str) -> None:
    flat, sections = parts(ACTIONS[name]["fields"])
    translated = ENGLISH["services"][name]
    assert translated["fields"].keys() == flat.keys()
    assert translated.get("sections", {}).keys() == sections
    assert all(
        each.keys() == {"name", "description"} for each in translated["fields"].values()
    )
    assert translated.keys() - {"sections"} == {"name", "description", "fields"}
    assert not any(fields_of(text) for _, text in texts(translated))


def test_every_action_is_translated() -> None:
    assert ENGLISH["services"].keys() == ACTIONS.keys()


def test_every_option_of_a_selector_is_translated() -> None:
    offered: dict[str, set[str]] = {}
    for action in ACTIONS.values():
        for field in parts(action["fields"])[0].values():
            select = field["selector"].get("select") or {}
            if key := select.get("translation_key"):
                options = set(select["options"])
                assert offered.setdefault(key, options) == options
    translated = ENGLISH["selector"]
    assert offered == {key: {*each["options"]} for key, each in translated.items()}


def test_every_status_can_be_chosen_and_is_named() -> None:
    statuses = {status.value for status in Status}
    assert ENGLISH["selector"]["status"]["options"].keys() == statuses


# Entities.


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_every_entity_is_named(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    registered: dict[str, set[str]] = {}
    for each in er.async_entries_for_config_entry(er.async_get(hass), account.entry_id):
        assert each.translation_key
        registered.setdefault(each.domain, set()).add(each.translation_key)
    entities = ENGLISH["entity"]
    assert registered == {domain: {*keys} for domain, keys in entities.items()}
    assert all(entity["name"] for keys in entities.values() for entity in keys.values())
    described = {key for keys in registered.values() for key in keys}
    assert written_out("entity").keys() == described


def test_every_state_of_an_enumeration_is_named() -> None:
    sensors = ENGLISH["entity"]["sensor"]
    options = {each.key: each.options for each in sensor.SENSORS if each.options}
    assert {key for key, each in sensors.items() if "state" in each} == options.keys()
    for key, states in options.items():
        assert sensors[key]["state"].keys() == set(states)


def test_every_type_of_event_is_named() -> None:
    attributes = ENGLISH["entity"]["event"]["generation"]["state_attributes"]
    types = event.GENERATION.event_types
    assert types is not None
    assert attributes["event_type"]["state"].keys() == set(types)


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_every_attribute_and_unit_is_named(
    hass: HomeAssistant, account: MockConfigEntry, act: Act, time: Time
) -> None:
    await act("generate", prompt="A boat", wait=True)
    await time.pass_by(10)
    common = {
        "device_class",
        "event_types",
        "friendly_name",
        "icon",
        "options",
        "state_class",
        "unit_of_measurement",
    }
    for each in er.async_entries_for_config_entry(er.async_get(hass), account.entry_id):
        state = hass.states.get(each.entity_id)
        assert state
        translated = ENGLISH["entity"][each.domain][each.translation_key]
        named = translated.get("state_attributes", {}).keys()
        assert state.attributes.keys() - common == named, each.entity_id
        if unit := translated.get("unit_of_measurement"):
            assert state.attributes["unit_of_measurement"] == unit
