"""Many rows at once into a table, without what an ORM does for each of their values."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table

_PLACES = {"qmark": "?", "format": "%s", "pyformat": "%s"}


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]], otherwise: str = ""
) -> None:
    """Insert `rows`, each a value for every column of `table`, in a form that the driver takes.

    `otherwise` is the `ON CONFLICT` clause, if there is to be one.
    """
    columns = [column.name for column in table.columns]
    places = ", ".join(_PLACES[connection.dialect.paramstyle] for _ in columns)
    statement = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({places}) {otherwise}"  # noqa: S608 - names of our own
    connection.exec_driver_sql(statement, list(rows))
