"""What is said where a runtime is not installed: each is optional."""

from __future__ import annotations

import importlib.util


class MissingRuntimeError(FileNotFoundError):
    """A runtime is not there; the text names the package that brings it."""

    def __init__(self, runtime: str, package: str) -> None:
        super().__init__(f"{runtime}: not installed, the package {package} brings it")


def expect_installed(runtime: str, package: str, module: str) -> None:
    """Raise MissingRuntimeError unless the module of a runtime can be imported."""
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise MissingRuntimeError(runtime, package)
