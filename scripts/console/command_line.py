"""What every command shares: help with defaults and an example, one-line errors, exit statuses."""

from __future__ import annotations

import argparse
import io
import os
import sys
import unicodedata
from collections.abc import Callable, Sequence
from typing import NoReturn

from golden.comparison import Mismatch


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows every default as it would be typed; leaves the example as it was typed."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        default = action.default
        if default is None or default is False or default == () or "(default" in str(action.help):
            return action.help
        if isinstance(default, tuple):
            typed = (" " if action.nargs else ",").join(map(str, default))
            return f"{action.help} (default: {typed})"
        return super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line with exit status 2."""

    def __init__(self, description: str | None, example: str) -> None:
        super().__init__(
            description=description, epilog=f"example:\n  {example}", formatter_class=HelpFormatter
        )

    def error(self, message: str) -> NoReturn:
        print(f"error: {message} (--help lists the flags)", file=sys.stderr)
        raise SystemExit(2)


def run_command(main: Callable[[], None]) -> None:
    """Run a command, and turn what goes wrong into one line on stderr and an exit status.

    1: a value differs between two rungs of the ladder; 2: bad input, or a file that fails.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names need not be text, terminals not know it
            stream.reconfigure(errors="backslashreplace")
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(141) from None  # as a shell reports SIGPIPE
    except (Mismatch, ValueError, TypeError, OSError, MemoryError) as error:
        sys.stdout.flush()
        what, status = ("MISMATCH", 1) if isinstance(error, Mismatch) else ("error", 2)
        print(f"{what}: {one_line(error)}", file=sys.stderr)
        raise SystemExit(status) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None


def comma_separated(text: str) -> tuple[str, ...]:
    """Parse `yes,no` to `("yes", "no")`, in Unicode's composed form; an argparse type."""
    composed = unicodedata.normalize("NFC", text)
    return tuple(item.strip() for item in composed.split(",") if item.strip())


def require_exclusive(flags: Sequence[tuple[str, bool]]) -> None:
    """Raise ValueError if more than one of the named flags was given."""
    given = [name for name, present in flags if present]
    if len(given) > 1:
        raise ValueError(f"flags: expected only one of {', '.join(given)}, got {len(given)}")


def one_line(error: Exception) -> str:
    """Return what went wrong as one line, of the system's errors with the file in front."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        return f"{error.filename}: {error.strerror.lower()}"
    return " ".join(str(error).split()) or type(error).__name__
