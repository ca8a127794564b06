"""Form fields that several flows show."""

from collections.abc import Iterable

from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from .api import Model
from .const import DEFAULT_MODEL


def model_selector(models: Iterable[Model]) -> SelectSelector:
    """Return a field to choose a model, or to type one that is not in the list."""
    return SelectSelector(
        SelectSelectorConfig(
            options=[
                SelectOptionDict(value=model.id, label=f"{model.name} ({model.id})")
                for model in models
            ],
            custom_value=True,
            mode=SelectSelectorMode.DROPDOWN,
        )
    )


def chosen_model(text: str) -> str:
    """Return the id that was chosen or typed; the usual one if nothing was."""
    return text.strip() or DEFAULT_MODEL
