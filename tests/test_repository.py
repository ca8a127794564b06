"""The parts of the repository agree with each other (style anchors, habit 21)."""

import ast
from collections.abc import Iterator
from datetime import date
import json
from pathlib import Path, PurePosixPath
import re
import subprocess
import tomllib
from typing import Any

from homeassistant.components.brands.const import ALLOWED_IMAGES
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util.yaml import load_yaml_dict
from PIL import Image
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

import custom_components.rivya
from custom_components.rivya import PLATFORMS, const, services
from custom_components.rivya.const import DOMAIN

PACKAGE = Path(custom_components.rivya.__file__).parent
ROOT = PACKAGE.parents[1]
SIMULATOR = ROOT / "tests" / "simulator"
HOME = "https://github.com/seed-86498f42/rivya-home-assistant"
MODULES = {path: ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}
NAMES = {path: path.relative_to(PACKAGE).with_suffix("").as_posix() for path in MODULES}
ACTIONS = load_yaml_dict(str(PACKAGE / "services.yaml"))


def read_json(path: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((PACKAGE / path).read_bytes())
    return content


MANIFEST = read_json("manifest.json")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(autouse=True)
def _integration() -> None:
    """Most of these tests need no Home Assistant."""


# Manifest, versions, addresses.


def test_the_manifest_is_in_order() -> None:
    keys = list(MANIFEST)
    assert keys[:2] == ["domain", "name"]
    assert keys[2:] == sorted(keys[2:])
    assert MANIFEST["domain"] == DOMAIN == PACKAGE.name
    assert MANIFEST["config_flow"] is True
    assert MANIFEST["requirements"] == []


def test_there_is_one_version() -> None:
    heading = re.compile(r"^## (\d+\.\d+\.\d+) - (\S+)$", re.MULTILINE)
    releases = heading.findall((ROOT / "CHANGELOG.md").read_text("utf-8"))
    assert MANIFEST["version"] == PROJECT["version"] == releases[0][0]
    versions = [tuple(map(int, version.split("."))) for version, _ in releases]
    days = [date.fromisoformat(day) for _, day in releases]
    assert versions == sorted(versions, reverse=True)
    assert days == sorted(days, reverse=True)


def test_there_is_one_home() -> None:
    assert MANIFEST["documentation"] == PROJECT["urls"]["Homepage"] == HOME
    assert MANIFEST["issue_tracker"] == f"{HOME}/issues"
    assert MANIFEST["codeowners"] == [f"@{HOME.split('/')[3]}"]
    assert HOME.removeprefix("https://github.com/").split("/")[1] == PROJECT["name"]


def test_every_address_of_the_project_is_that_of_its_home() -> None:
    ours = re.compile(r"github\.com/([\w-]+)/rivya-home-assistant")
    owners = {
        owner
        for path in text_files()
        for owner in ours.findall(path.read_text("utf-8"))
    }
    assert owners == {HOME.split("/")[3]}


def test_hacs_knows_what_it_needs() -> None:
    hacs = json.loads((ROOT / "hacs.json").read_bytes())
    assert hacs == {"name": MANIFEST["name"], "homeassistant": "2026.10.0"}


# Images.


@pytest.mark.parametrize("name", sorted(ALLOWED_IMAGES))
def test_an_image_has_the_right_size(name: str) -> None:
    with Image.open(PACKAGE / "brand" / name) as image:
        assert image.format == "PNG"
        scale = 2 if "@2x" in name else 1
        if "icon" in name:
            assert image.size == (256 * scale, 256 * scale)
        else:
            assert 128 * scale <= min(image.size) <= 256 * scale


def test_there_are_no_other_images() -> None:
    assert {path.name for path in (PACKAGE / "brand").iterdir()} == ALLOWED_IMAGES


# The quality scale.

RULES = [
    "action-exceptions",
    "action-setup",
    "appropriate-polling",
    "async-dependency",
    "brands",
    "common-modules",
    "config-entry-unloading",
    "config-flow",
    "config-flow-test-coverage",
    "dependency-transparency",
    "devices",
    "diagnostics",
    "discovery",
    "discovery-update-info",
    "docs-actions",
    "docs-conditions",
    "docs-configuration-parameters",
    "docs-data-update",
    "docs-examples",
    "docs-high-level-description",
    "docs-installation-instructions",
    "docs-installation-parameters",
    "docs-known-limitations",
    "docs-removal-instructions",
    "docs-supported-devices",
    "docs-supported-functions",
    "docs-triggers",
    "docs-troubleshooting",
    "docs-use-cases",
    "dynamic-devices",
    "entity-category",
    "entity-device-class",
    "entity-disabled-by-default",
    "entity-event-setup",
    "entity-translations",
    "entity-unavailable",
    "entity-unique-id",
    "exception-translations",
    "has-entity-name",
    "icon-translations",
    "inject-websession",
    "integration-owner",
    "log-when-unavailable",
    "parallel-updates",
    "reauthentication-flow",
    "reconfiguration-flow",
    "repair-issues",
    "runtime-data",
    "stale-devices",
    "strict-typing",
    "test-before-configure",
    "test-before-setup",
    "test-coverage",
    "unique-config-entry",
]


def test_the_quality_scale_is_kept_for_every_rule() -> None:
    scale = load_yaml_dict(str(PACKAGE / "quality_scale.yaml"))
    assert len(RULES) == 54
    assert scale.keys() == {"rules"}
    assert scale["rules"].keys() == set(RULES)
    assert [name for name, rule in scale["rules"].items() if not is_honest(rule)] == []


def is_honest(rule: Any) -> bool:
    """Tell whether a rule is done, or says why it is not."""
    match rule:
        case "done" | "todo" | {"status": "done" | "todo"}:
            return True
        case {"status": "exempt", "comment": str(comment)}:
            return len(comment.split()) > 3
    return False


@pytest.mark.parametrize(
    ("rule", "honest"),
    [
        ("done", True),
        ("todo", True),
        ({"status": "exempt", "comment": "There is nothing to discover."}, True),
        ("exempt", False),
        ({"status": "exempt"}, False),
        ({"status": "exempt", "comment": "n/a"}, False),
        ("finished", False),
    ],
)
def test_the_test_of_the_quality_scale_sees_an_excuse(rule: Any, honest: bool) -> None:
    assert is_honest(rule) is honest


# Actions: what is registered, described, translated and pictured is the same.


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_the_actions_are_the_same_everywhere(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    registered = hass.services.async_services_for_domain(DOMAIN).keys()
    assert registered == ACTIONS.keys()
    assert registered == read_json("translations/en.json")["services"].keys()
    assert registered == read_json("icons.json")["services"].keys()


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_takes_the_fields_that_it_describes(name: str) -> None:
    schema = vars(services)[f"{name.upper()}_SCHEMA"]
    assert {str(key) for key in keys_of(schema)} == fields_of(ACTIONS[name]["fields"])


@pytest.mark.parametrize("name", ACTIONS)
def test_a_section_of_an_action_has_an_icon(name: str) -> None:
    fields = ACTIONS[name]["fields"]
    sections = {key for key, field in fields.items() if "fields" in field}
    icons = read_json("icons.json")["services"][name]
    assert icons.get("sections", {}).keys() == sections
    assert icons["service"].startswith("mdi:")


def keys_of(schema: Any) -> Iterator[Any]:
    """Yield the keys of a schema, within vol.All too."""
    if isinstance(schema, dict):
        yield from schema
    elif hasattr(schema, "schema"):
        yield from keys_of(schema.schema)
    else:
        for part in getattr(schema, "validators", ()):
            yield from keys_of(part)


def fields_of(fields: dict[str, Any]) -> set[str]:
    """Return the names of fields, those in sections too; each stands once."""
    names = [
        name for key, field in fields.items() for name in field.get("fields", [key])
    ]
    assert len(set(names)) == len(names)
    return set(names)


@pytest.mark.parametrize("name", ["generate", "list_generations", "list_models"])
def test_the_models_offered_are_those_of_the_catalog(name: str) -> None:
    offered = ACTIONS[name]["fields"]["model"]["selector"]["select"]["options"]
    shipped = [
        model["id"] for model in json.loads((PACKAGE / "api/models.json").read_bytes())
    ]
    assert sorted(offered) == sorted(shipped)
    assert const.DEFAULT_MODEL in offered


SCHEMAS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "GENERATE_SCHEMA": ({"prompt": "A boat"}, {"promt": "A boat"}),
    "GET_GENERATION_SCHEMA": ({"task_id": "task_1"}, {}),
    "LIST_GENERATIONS_SCHEMA": ({"status": "failed"}, {"status": "lost"}),
    "LIST_MODELS_SCHEMA": ({"category": "video"}, {"model": ""}),
}


def test_every_schema_is_tried_out() -> None:
    named = {name for name in vars(services) if name.endswith("_SCHEMA")}
    assert named == SCHEMAS.keys()


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_accepts_the_right_and_refuses_the_wrong(name: str) -> None:
    # Schemas are built when they are first called, so that is where a mistake shows.
    right, wrong = SCHEMAS[name]
    schema = vars(services)[name]
    assert schema(right).items() >= {key: schema(right)[key] for key in right}.items()
    with pytest.raises(vol.Invalid):
        schema(wrong)


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_every_entity_has_an_icon(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    entries = er.async_entries_for_config_entry(er.async_get(hass), account.entry_id)
    icons = read_json("icons.json")["entity"]
    assert {(each.domain, each.translation_key) for each in entries} == {
        (domain, key) for domain, keys in icons.items() for key in keys
    }
    assert {each.domain for each in entries} == {str(each) for each in PLATFORMS}


def test_a_state_with_an_icon_is_a_state() -> None:
    entities = read_json("translations/en.json")["entity"]
    sensors = read_json("icons.json")["entity"]["sensor"]
    for key, icons in sensors.items():
        assert (
            icons.get("state", {}).keys()
            <= entities["sensor"][key].get("state", {}).keys()
        )


# Imports.

LAYERS = (
    {"api", "const", "schedule"},
    {"errors", "forms", "issues", "ledger", "pace"},
    {"store"},
    {"journal"},
    {"generations"},
    {"coordinator"},
    {"entity", "services"},
    {
        "binary_sensor",
        "config_flow",
        "diagnostics",
        "event",
        "logbook",
        "repairs",
        "sensor",
    },
    {"__init__"},
)
"""What a module imports lies in a layer before its own."""

RANKS = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
HEAVY = re.compile(r"homeassistant\.components\.(cloud|ai_task|camera|assist_)")


def siblings(tree: ast.AST) -> Iterator[str]:
    """Yield the modules of the package that a module of it imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            for name in [node.module] if node.module else [a.name for a in node.names]:
                yield str(name).split(".")[0]
        else:
            found = [each for each in imports(node) if PACKAGE.name in each.split(".")]
            yield from found  # by its full name: in no layer


def imports(node: ast.AST) -> list[str]:
    """Return what one statement imports, from the outermost package on."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def goes_back(name: str, tree: ast.AST) -> list[str]:
    """Return the imports of a module that do not lie before it."""
    return [each for each in siblings(tree) if RANKS.get(each, 99) >= RANKS[name]]


def test_every_module_has_a_layer() -> None:
    top = {name.split("/")[0] for name in NAMES.values()}
    assert top == RANKS.keys()
    assert {str(each) for each in PLATFORMS} <= LAYERS[-2]


@pytest.mark.parametrize("name", sorted(RANKS.keys() - {"api"}))
def test_imports_point_one_way(name: str) -> None:
    # The client, a package, has a test of its own.
    assert goes_back(name, MODULES[PACKAGE / f"{name}.py"]) == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("store", "from .generations import Generations"),
        ("sensor", "from .event import GENERATION"),
        ("coordinator", "from . import PLATFORMS"),
        ("coordinator", "from . import entity"),
        ("ledger", "def later():\n    from .store import LedgerStore"),
        ("errors", "from .brand_new import thing"),
        ("sensor", "from custom_components.rivya.const import DOMAIN"),
    ],
)
def test_the_test_of_imports_sees_one_that_goes_back(name: str, line: str) -> None:
    assert goes_back(name, ast.parse(line))


@pytest.mark.parametrize("path", MODULES, ids=NAMES.get)
def test_nothing_heavy_and_nothing_new_is_imported(path: Path) -> None:
    everywhere = [each for node in ast.walk(MODULES[path]) for each in imports(node)]
    assert {each.split(".")[0] for each in everywhere} & {
        "httpx",
        "httpx2",
        "probatio",
    } == set()
    at_once = [each for node in MODULES[path].body for each in imports(node)]
    assert [each for each in at_once if HEAVY.match(each)] == []


@pytest.mark.parametrize(
    "path", sorted(SIMULATOR.rglob("*.py")), ids=lambda path: path.stem
)
def test_the_simulator_knows_only_the_contract(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    names = [each for node in ast.walk(tree) for each in imports(node)]
    assert {name.split(".")[0] for name in names} & {
        "custom_components",
        "homeassistant",
    } == set()
    assert [
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level > 1
    ] == []


# Code.


def bad_log_calls(tree: ast.AST) -> list[str]:
    """Return log calls whose message is no plain text with its values after it."""
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and re.fullmatch(r"_?LOGGER\.\w+|.*\.logger\.\w+", ast.unparse(node.func))
        and not (node.args and isinstance(node.args[0], ast.Constant))
    ]


def tuple_messages(tree: ast.AST) -> list[str]:
    """Return raised exceptions whose message is a tuple by mistake."""
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and any(isinstance(argument, ast.Tuple) for argument in node.exc.args)
    ]


@pytest.mark.parametrize("path", MODULES, ids=NAMES.get)
def test_messages_are_plain_texts(path: Path) -> None:
    assert bad_log_calls(MODULES[path]) == []
    assert tuple_messages(MODULES[path]) == []


@pytest.mark.parametrize(
    "line",
    [
        "LOGGER.error(f'no {x}')",
        "LOGGER.error('no %s' % x)",
        "_LOGGER.error(('no %s', x))",
        "self.logger.debug(x)",
        "raise RivyaError(('no %s', x))",
    ],
)
def test_the_test_of_messages_sees_a_bad_one(line: str) -> None:
    tree = ast.parse(line)
    assert bad_log_calls(tree) or tuple_messages(tree)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platform_says_how_much_it_does_at_once(platform: Platform) -> None:
    tree = MODULES[PACKAGE / f"{platform}.py"]
    assigned = [
        ast.unparse(node.targets[0])
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    ]
    assert "PARALLEL_UPDATES" in assigned


def test_every_module_with_entities_is_a_platform() -> None:
    with_entities = {
        NAMES[path]
        for path, tree in MODULES.items()
        for node in tree.body
        if isinstance(node, ast.AsyncFunctionDef) and node.name == "async_setup_entry"
    }
    assert with_entities == {"__init__", *map(str, PLATFORMS)}


# Files.

FOREIGN_PATH = re.compile(r"(?<![\w.:-])/(?:work|root|home)/")


def files() -> list[Path]:
    """Return all files that are, or would be, under version control."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git is where it is
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()] or list(PACKAGE.rglob("*.*"))


def text_files() -> list[Path]:
    """Return those files that hold text."""
    return [path for path in files() if b"\0" not in path.read_bytes()]


def test_nothing_is_locked() -> None:
    lock_files = {"uv.lock", "poetry.lock", "Pipfile.lock", "package-lock.json"}
    assert [path for path in files() if path.name in lock_files] == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    assert [
        f"{path.relative_to(ROOT)}:{number}"
        for path in text_files()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if FOREIGN_PATH.search(line)
    ] == []
    somewhere = PurePosixPath("/", "home", "me", "x")
    assert FOREIGN_PATH.search(f"cd {somewhere}")
    assert not FOREIGN_PATH.search("https://example.com/home/x")


def test_programs_can_be_run() -> None:
    programs = [*(ROOT / "scripts").iterdir(), ROOT / ".ci" / "run"]
    for path in programs:
        if path.is_file():
            assert path.stat().st_mode & 0o111, path
            assert path.read_bytes().startswith(b"#!"), path
