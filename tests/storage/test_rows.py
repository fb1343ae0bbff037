from sqlalchemy import Column, Integer, MetaData, String, Table, select

from plugin.storage.database import open_blocking
from plugin.storage.rows import insert_rows


def test_rows_come_in_their_order_with_every_column(url: str) -> None:
    table = Table("pairs", MetaData(), Column("a", Integer), Column("b", String))
    database = open_blocking(url)
    with database.begin() as connection:
        table.create(connection)
        insert_rows(connection, table, [(1, "x"), (2, None)])
        assert connection.execute(select(table)).all() == [(1, "x"), (2, None)]
    database.dispose()
