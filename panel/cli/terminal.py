"""What commands write. Nothing in it drives a terminal, whoever named the file or wrote the text that is quoted.

Where nothing can be written any more, because the program behind the pipe is gone or the disk is full, a command ends
with one sentence; one that follows an operation goes on, as the operation does.
"""

import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, cast

import click
from rich.console import Console
from rich.text import Text

from panel.domain.values import without_controls


def say(text: str, *, err: bool = False) -> None:
    """A line."""
    with _writing():
        click.echo(without_controls(text), err=err)  # noqa: TID251


def say_json(value: Any) -> None:
    """A line for programs; all but ASCII is escaped."""
    with _writing():
        click.echo(json.dumps(value))  # noqa: TID251


class Terminal(Console):
    """Tables, bars and coloured lines. `lasting`: it goes on when nothing can be written any more."""

    def __init__(self, *, stderr: bool = False, lasting: bool = False) -> None:
        stream = sys.stderr if stderr else sys.stdout
        super().__init__(file=cast(IO[str], _Lasting(stream)) if lasting else stream)

    def print(self, *objects: Any, **how: Any) -> None:
        with _writing():
            super().print(*objects, **how)

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(without_controls(text), **how)


@contextmanager
def clean_errors() -> Iterator[None]:
    """What a command ends with is written by click."""
    try:
        yield
    except click.ClickException as exc:
        text = exc.format_message()
        if (clean := without_controls(text)) == text:
            raise
        if isinstance(exc, click.UsageError):
            raise click.UsageError(clean, exc.ctx) from exc
        raise click.ClickException(clean) from exc


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        _discard(sys.stdout)
        if exc.errno == errno.EPIPE:  # whoever read it has enough
            raise SystemExit(1) from exc
        raise click.ClickException(f"The output cannot be written: {exc.strerror}.") from exc


class _Lasting:
    """A stream, until it fails; then one that takes everything, and a word on stderr."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as exc:
            self._end(exc)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as exc:
            self._end(exc)

    def _end(self, exc: OSError) -> None:
        _discard(self._stream)
        with suppress(click.ClickException, OSError):
            words = f"Nothing can be written any more: {exc.strerror}. What was started goes on; Ctrl-C cancels it."
            say(words, err=True)


def _discard(stream: IO[str]) -> None:
    """What is written to it from now on, and what it still holds, goes nowhere."""
    with suppress(OSError):  # it has no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
