"""Writes panel/storage/schema.sql: what the files of panel/storage/migrations/ lead to, for a new memory.

.venv/bin/python -m docs.schema
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from panel.storage.schema import take_steps

FILE = Path(__file__).resolve().parents[1] / "panel" / "storage" / "schema.sql"
HEAD = "-- What the files of migrations/ lead to. `python -m docs.schema` writes this file.\n\n"


def schema() -> str:
    """The whole file: all that the steps create, and the rows that they put into it."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        take_steps(db, 0)
        made = db.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY rowid"
        ).fetchall()
        lines = [f"{sql};\n" for _, _, sql in made]
        for table in (name for kind, name, _ in made if kind == "table"):
            columns = [column[1] for column in db.execute(f"PRAGMA table_info({table})")]
            row = " || ', ' || ".join(f"quote({column})" for column in columns)
            rows = [values for (values,) in db.execute(f"SELECT {row} FROM {table}")]
            lines += [f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values});\n" for values in rows]
    return HEAD + "".join(lines)


if __name__ == "__main__":
    FILE.write_text(schema(), "utf-8")
