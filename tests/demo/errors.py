"""What can go wrong in the demo, in words for the person at the terminal."""


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


class RefusedError(DemoError):
    """Home Assistant said no."""
