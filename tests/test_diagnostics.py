"""Diagnostics say how things stand, and give nothing away."""

import json

from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)

from tests.conftest import KEY, Act, Time
from tests.simulator import Simulator


async def test_diagnostics_tell_how_things_stand_and_hold_no_secret(
    hass, account, rivya: Simulator, hass_client, time: Time, act: Act
) -> None:
    await act("generate", prompt="a very private tide", wait=True)
    record = await act("generate", prompt="another private tide")
    rivya.fail(record["task_id"], message="Not this tide.")
    await time.pass_by(20)
    running = await act("generate", prompt="a third private tide")
    told = await time.until(
        get_diagnostics_for_config_entry(hass, hass_client, account)
    )
    assert told["ledger"]["statuses"] == {"failed": 1, "succeeded": 1, "queued": 1}
    assert told["ledger"]["spent"] == 6
    assert [each["status"] for each in told["ledger"]["latest"]] == [
        "queued",
        "failed",
        "succeeded",
    ]
    assert told["ledger"]["latest"][1]["error"]["code"] == "generation_failed"
    assert list(told["service"]["schedule"]["due_in"]) == [running["generation_id"]]
    assert told["service"]["answers"] is True
    assert told["catalog"] == {"available": 52}
    text = json.dumps(told)
    for secret in (KEY, "private", "tide", "http", "127.0.0.1", running["task_id"]):
        assert secret not in text


async def test_diagnostics_of_an_account_that_is_not_loaded_tell_why(
    hass, account, rivya: Simulator, hass_client, time: Time
) -> None:
    rivya.settings.public_api_enabled = False
    await time.until(hass.config_entries.async_reload(account.entry_id))
    told = await time.until(
        get_diagnostics_for_config_entry(hass, hass_client, account)
    )
    assert told == {
        "account": {
            "state": "setup_retry",
            "reason": "api_disabled",
            "is_default_service": False,
            "options": {"concurrency": None, "default_model": None},
        }
    }
