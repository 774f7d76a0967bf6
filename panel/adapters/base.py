"""What every kind of operation says about itself: how to start it, what to ask for, how to read its end.

A kind is one class in one file of this folder. The start page, the command-line sub-command, the
operation's page and the contract tests are all made from it.
"""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, ClassVar, Self

from httpx import AsyncClient
from rich.console import Console
from rich.table import Table
from rich.text import Text

from panel.adapters.fields import Field, as_typed, per_cent, read_form, written
from panel.adapters.interface import OperationAdapter
from panel.domain.chart import Chart
from panel.domain.kinds import Traits, declare
from panel.domain.results import Figure, Measure, ResultTable
from panel.domain.snapshot import ID, Snapshot, Status
from panel.domain.strategies import Strategy
from panel.domain.values import mapping, number, text
from panel.errors import InvalidForm, NoOperation


class Kind(OperationAdapter):
    """A kind that the panel offers. Each is a dataclass whose constructor arguments are what a start can say; those
    with `asked(…)` as their metadata are in the form and on the command line, in this order."""

    kind: ClassVar[str]  # the backend's operation_type
    title: ClassVar[str]
    action: ClassVar[str]  # the button's label
    command: ClassVar[str]  # the command line's sub-command
    endpoint: ClassVar[str]  # where it is started, below the backend's base URL
    summary: ClassVar[str]  # one sentence, shown on the form
    fields: ClassVar[tuple[Field, ...]] = ()
    measures: ClassVar[tuple[Measure, ...]] = ()
    traits: ClassVar[Traits] = Traits()  # what the panel's rules go by
    menu: ClassVar[str] = ""  # its label in the menu of starts; "" where it is left out
    offered_at: ClassVar[str] = ""  # a path that only a backend with this kind answers; "" when every backend has it
    repeated: ClassVar[tuple[str, ...]] = ()  # fields that are shown as they are
    inner: ClassVar[tuple[str, ...]] = ()  # parameters that pages leave out
    cancel_at: ClassVar[str] = ""  # with `{id}`: where it is cancelled, if not as every operation is
    takes_id: ClassVar[bool] = False  # the start accepts an id of the caller's choice: `task_id`
    task_id: str | None = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        declare(cls.kind, cls.traits)
        cls.fields = tuple(
            dataclasses.replace(given.metadata["form"], name=name, default=_preset(given))
            for name, given in vars(cls).items()
            if isinstance(given, dataclasses.Field) and "form" in given.metadata
        )

    def get_start_endpoint(self) -> str:
        return self.endpoint

    def parse_start_response(self, response: Mapping[str, Any]) -> str:
        """The new operation's id, from wherever this backend puts it: `operation_id`, `task_id` or
        `data.operation_id`. Raises NoOperation when there is none that could be asked for again."""
        places = (response.get("operation_id"), response.get("task_id"), named(response, "data").get("operation_id"))
        for found in places:
            if isinstance(found, str) and ID.fullmatch(found):
                return found
        raise NoOperation("The backend accepted the start but named no operation.", 200, dict(response))

    async def display_results(
        self, final_status: dict[str, Any], console: Console, http_client: AsyncClient | None = None
    ) -> None:
        """Print the outcome and the figures. Never raises: the operation has ended, whatever can be shown of it."""
        status, error = text(final_status.get("status")) or "completed", text(final_status.get("error_message"))
        console.print(
            _printable(f"{self.title} {status}. {error}".rstrip(), "green" if status == "completed" else "red")
        )
        try:
            result = await self.result_of(final_status, http_client)
        except Exception as exc:  # clients of other kinds raise their own errors
            console.print(_printable(f"Its figures could not be read: {exc}", "yellow"))
            return
        ended = Snapshot(
            text(final_status.get("operation_id")), self.kind, Status.COMPLETED, status, 0.0, result=result
        )
        table = Table("Figure", "Value", "", title=f"{self.title} results")
        for figure in self.figures(ended):
            table.add_row(*(_printable(value) for value in (figure.label, figure.value, figure.note)))
        console.print(table if table.rows else Text("It has no figures.", "dim"))

    async def result_of(self, final_status: dict[str, Any], http_client: AsyncClient | None) -> dict[str, Any]:
        """The backend's result of an ended operation, as far as it is known without a client."""
        return named(final_status, "result_summary")

    @classmethod
    def from_form(cls, values: Mapping[str, str]) -> Self:
        """From form fields, every value a string; raises InvalidForm with a sentence for each bad field."""
        arguments, errors = read_form(cls.fields, values)
        errors = cls.check(arguments, datetime.now(UTC).date()) | errors
        if errors:
            raise InvalidForm(errors)
        return cls(**arguments)

    @classmethod
    def typed(cls, parameters: Mapping[str, Any]) -> dict[str, str]:
        """An operation's parameters as form fields."""
        given = {field: parameters.get(field.name) for field in cls.fields}
        return {field.name: as_typed(field, value) for field, value in given.items() if value is not None}

    def argv(self) -> list[str]:
        """The same start as a command line of this project."""
        positional, options = [], []
        for field in self.fields:
            value = getattr(self, field.name, None)
            if not chosen(value=value) or (field.option and value == getattr(type(self), field.name, None)):
                continue
            if isinstance(value, list):
                shown = ",".join(value)
            else:
                shown = per_cent(value) if field.type == "percent" else written(value)
            if not field.option:
                positional.append(shown)
            elif field.type == "switch":
                options.append(field.option)
            else:  # a value that begins with a dash needs the form --option=value
                options += [f"{field.option}={shown}"] if shown.startswith("-") else [field.option, shown]
        last = ["--", *positional] if any(each.startswith("-") for each in positional) else positional
        return ["ktrdr-panel", self.command, *(options + last if last is not positional else positional + options)]

    def ktrdr_argv(self, own: Strategy | None = None) -> list[str]:
        """The same as a command line of KTRDR's own, [] where that cannot say it. `own`: the strategy, where it is
        known."""
        return []

    @classmethod
    def check(cls, arguments: Mapping[str, Any], today: date) -> dict[str, str]:
        """Field -> sentence, for values that are invalid only in combination."""
        start, end = arguments.get("start_date"), arguments.get("end_date")
        errors = {}
        if start and start > today.isoformat():
            errors["start_date"] = "This lies in the future: there is no market data for it yet."
        if start and end and start >= end:
            errors["end_date"] = f"The end has to come after the start, {start}."
        return errors

    @classmethod
    def name(cls, snapshot: Snapshot) -> str:
        """The operation's name on pages."""
        return snapshot.strategy or snapshot.symbol or cls.title

    @classmethod
    def figures(cls, snapshot: Snapshot) -> list[Figure]:
        """The result's figures in a trader's terms; [] when there is none yet."""
        return []

    @classmethod
    def tables(cls, snapshot: Snapshot) -> list[ResultTable]:
        """The result's tables beyond its figures; one without data is left out."""
        return []

    @classmethod
    def chart(cls, snapshot: Snapshot) -> Chart | None:
        """The curves of this kind, as far as they are known; None while there are none."""
        return None


def percent(value: Any) -> str:
    """A fraction, 0–1, as per cent."""
    share = number(value)
    return "–" if share is None else f"{share * 100:z.1f} %"


def rate(value: Any, digits: int = 1) -> str:
    """The same of a share of many, or of a probability: what is not all of them is never shown as 100 %, nor something
    as nothing."""
    share = number(value)
    if share is None:
        return "–"
    shown, least = f"{share * 100:.{digits}f}", 10.0**-digits
    if share < 1 and float(shown) >= 100:
        return f"over {100 - least:.{digits}f} %"
    return f"under {least:.{digits}f} %" if share > 0 and float(shown) == 0 else f"{shown} %"


def count(value: Any) -> str:
    whole = number(value)
    return "–" if whole is None else f"{whole:,.0f}"


def decimal(value: Any, digits: int = 3) -> str:
    as_float = number(value)
    return "–" if as_float is None else f"{as_float:,.{digits}f}"


def chosen(**values: Any) -> dict[str, Any]:
    """The values without None, False and empty lists and strings."""
    # Compared by type: a commission of 0 was chosen.
    left_out: tuple[Any, ...] = ("", [], ())
    return {name: v for name, v in values.items() if v is not None and v is not False and v not in left_out}


def named(result: Any, key: str) -> dict[str, Any]:
    """A dict inside a result, {} when it is not there."""
    return mapping(mapping(result).get(key))


def _preset(given: "dataclasses.Field[Any]") -> str:
    """A choice has a default; every other field begins empty."""
    form: Field = given.metadata["form"]
    return str(given.default) if form.type == "choice" and given.default is not dataclasses.MISSING else ""


def _printable(value: str, style: str = "") -> Text:
    """The backend's text cannot style or drive the terminal."""
    return Text("".join(char for char in value if char.isprintable()), style)
