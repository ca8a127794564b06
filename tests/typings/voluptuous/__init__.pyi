"""Home Assistant provides probatio under the name of voluptuous; so the types are its."""

from probatio import *
