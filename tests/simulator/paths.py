"""One rule for naming paths, shared by faults and by looking at requests."""

from fnmatch import fnmatchcase


def covers(pattern: str | None, path: str) -> bool:
    """Return whether a pattern means a path.

    None means every path, `*` and `?` make a glob, anything else means that path and
    all below it.
    """
    if pattern is None:
        return True
    if any(sign in pattern for sign in "*?["):
        return fnmatchcase(path, pattern)
    return path == pattern or path.startswith(pattern.rstrip("/") + "/")
