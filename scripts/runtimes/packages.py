"""What is said where a runtime is not installed: each is optional."""

from __future__ import annotations


class MissingRuntimeError(FileNotFoundError):
    """A runtime is not there; the text names the package that brings it."""

    def __init__(self, runtime: str, package: str) -> None:
        super().__init__(f"{runtime}: not installed, the package {package} brings it")
