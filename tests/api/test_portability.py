"""The client could be lifted out by moving one folder (style anchors, habit 1)."""

import ast
from collections.abc import Iterator
import json
from pathlib import Path
import sys

import pytest

from custom_components.rivya import api

API = Path(api.__file__).parent
MODULES = sorted(API.rglob("*.py"))
MODEL_IDS = [model["id"] for model in json.loads((API / "models.json").read_bytes())]
ALLOWED = sys.stdlib_module_names | {"aiohttp", "yarl", "."}


def import_roots(source: str) -> Iterator[str]:
    """Name the top of everything a module imports; a relative one by its dots."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level or str(node.module).split(".")[0]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_the_client_is_portable(module: Path) -> None:
    assert set(import_roots(module.read_text("utf-8"))) <= ALLOWED


@pytest.mark.parametrize(
    "line",
    [
        "import homeassistant.core",
        "import json, orjson",
        "from homeassistant import core",
        "from .. import const",
        "from ..const import DOMAIN",
        "def later():\n    import voluptuous",
    ],
)
def test_the_test_of_portability_sees_a_forbidden_import(line: str) -> None:
    assert not set(import_roots(line)) <= ALLOWED


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_no_module_names_a_model(module: Path) -> None:
    text = module.read_text("utf-8")
    assert [model_id for model_id in MODEL_IDS if model_id in text] == []


def test_everything_that_is_exported_exists_and_is_sorted() -> None:
    assert [name for name in api.__all__ if not hasattr(api, name)] == []
    assert len(set(api.__all__)) == len(api.__all__)


def test_the_package_says_that_it_is_typed() -> None:
    assert (API / "py.typed").exists()
