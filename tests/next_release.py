"""Run pytest with a Home Assistant that is newer than the one its harness was made for.

The newer packages come first on the path; what the harness expects of the older one and
no longer finds is put in its place here.
"""

import sys

# Before pytest and its plugins, so that the names it takes over are taken over first.
from homeassistant.components import logger
import pytest

if __name__ == "__main__":
    setattr(logger, "_clear_logger_overwrites", lambda hass: None)  # noqa: B010 - not there
    sys.exit(pytest.main(["-p", "no:xdist", *sys.argv[1:]]))
