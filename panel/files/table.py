"""The fields of a file as texts, column by column."""

from collections.abc import Callable
from typing import Self

import polars as pl

from panel.files.layout import Layout
from panel.files.roles import Columns


class Table:
    """Columns are named by their place in the file, from 0."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    @classmethod
    def of(cls, laid: Layout) -> Self | None:
        """None when the lines turn out not to be alike: the last field of one of them is missing, or empty."""
        try:
            frame = pl.read_csv(
                laid.body, has_header=False, separator=laid.separator, quote_char=None, infer_schema=False
            )
        except pl.exceptions.PolarsError:
            if laid.assumed:
                return None
            raise
        if laid.assumed and (len(frame) != len(laid.lines) or frame.to_series(-1).null_count()):
            return None
        return cls(frame)

    def column(self, place: int) -> pl.Series:
        return self._frame.to_series(place)

    def role(self, columns: Columns) -> Callable[[str], pl.Series]:
        return lambda role: self.column(columns.of(role))
