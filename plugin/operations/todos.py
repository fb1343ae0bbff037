"""Todos: a short list of things to do for each caller, kept in the database."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict
from sqlalchemy import Column, Index, Integer, String, Table, func, select

from plugin.errors import NotFound
from plugin.operations import (
    Arguments,
    CurrentCaller,
    Database,
    Now,
    PlainText,
    QueryArguments,
    Reply,
    operation,
)
from plugin.operations.reply_size import fitting
from plugin.storage.database import metadata

router = APIRouter(prefix="/todos", tags=["todos"])

LONGEST_TEXT = 500
MOST_LISTED = 100
LARGEST_ID = 2**31 - 1

todos = Table(
    "todos",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("caller_id", String(64), nullable=False),
    Column("text", String(LONGEST_TEXT), nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("done_at", Integer),
    Index("ix_todos_caller_id_id", "caller_id", "id"),
    # an id that a model still remembers must not come to mean another todo after a deletion
    sqlite_autoincrement=True,
)
"""Times are whole seconds since 1970, in UTC."""

_EXAMPLE: JsonDict = {
    "id": 3,
    "text": "Buy milk",
    "done": True,
    "created_at": "2026-11-23T09:30:00Z",
    "done_at": "2026-11-23T18:05:00Z",
}


class ListTodos(QueryArguments):
    """Which todos to show."""

    status: Literal["all", "open", "done"] = "all"
    """Which todos to list: `open` ones are still to do, `done` ones are completed."""

    limit: Annotated[int, Field(ge=1, le=MOST_LISTED)] = 50
    """How many todos to return at most; fewer come when their texts are long."""

    after: Annotated[int, Field(ge=0, le=LARGEST_ID)] = 0
    """Return only todos with a greater id; to read on, pass `next_after` of the last reply."""


class AddTodo(Arguments):
    """A todo to add."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Buy milk"}]})

    text: Annotated[PlainText, Field(min_length=1, max_length=LONGEST_TEXT)]
    """What is to be done, in the user's words."""


class Todo(Reply):
    """One thing to do."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: int
    """The number that names this todo in other calls; it never changes."""

    text: str
    """What is to be done."""

    done: bool
    """Whether it is completed."""

    created_at: datetime
    """When it was added, in UTC."""

    done_at: datetime | None
    """When it was completed, in UTC; null while it is open."""


class TodoList(Reply):
    """Todos, oldest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"todos": [_EXAMPLE], "total": 8, "next_after": 3}]}
    )

    todos: list[Todo]
    """The todos of this page."""

    total: int
    """How many todos have the status that was asked for, on all pages."""

    next_after: int | None
    """The `after` of the next page; null on the last one."""


class DeletedTodo(Reply):
    """A todo that is gone."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": 3, "text": "Buy milk", "message": "Deleted todo 3: Buy milk"}]
        }
    )

    id: int
    """The number that named it; it is not used again."""

    text: str
    """What it said."""

    message: str
    """What happened, in one sentence."""


TodoId = Annotated[
    int,
    Path(
        ge=1,
        le=LARGEST_ID,
        description="The id of the todo, as list_todos or add_todo returned it.",
        examples=[3],
    ),
]


@router.get("", operation_id="list_todos", summary="List the user's todos")
@operation(scope="todos:read")
async def list_todos(
    query: Annotated[ListTodos, Query()], caller: CurrentCaller, database: Database
) -> TodoList:
    """List the user's todos with their ids, oldest first.

    Call it before completing or deleting a todo whose id you do not know.
    """
    conditions = [todos.c.caller_id == caller.id]
    if query.status != "all":
        conditions.append(
            todos.c.done_at.is_(None) if query.status == "open" else todos.c.done_at.is_not(None)
        )
    # One statement: each one takes four steps of the event loop, which may be busy with others.
    counted = select(func.count()).select_from(todos).where(*conditions).scalar_subquery()
    page = (
        select(todos, counted.label("total"))
        .where(*conditions, todos.c.id > query.after)
        .order_by(todos.c.id)
        .limit(query.limit + 1)  # one more tells whether there is a next page
    )
    async with database.connect() as connection:
        rows = (await connection.execute(page)).mappings().all()
        if rows:
            total = rows[0]["total"]
        else:
            total = await connection.scalar(select(counted)) if query.after else 0
    shown = fitting(map(_todo, rows[: query.limit]))
    more = len(rows) > len(shown)
    return TodoList(todos=shown, total=total or 0, next_after=shown[-1].id if more else None)


@router.post("", operation_id="add_todo", summary="Add a todo", status_code=201)
@operation(scope="todos:write")
async def add_todo(todo: AddTodo, caller: CurrentCaller, database: Database, now: Now) -> Todo:
    """Add one todo to the user's list and return it with its id.

    Call it once for each thing to do.
    """
    statement = (
        todos.insert()
        .values(caller_id=caller.id, text=todo.text, created_at=int(now.timestamp()))
        .returning(todos)
    )
    async with database.begin() as connection:
        return _todo((await connection.execute(statement)).mappings().one())


@router.post("/{todo_id}/complete", operation_id="complete_todo", summary="Complete a todo")
@operation(scope="todos:write", idempotent=True, raises=(NotFound,))
async def complete_todo(
    todo_id: TodoId, caller: CurrentCaller, database: Database, now: Now
) -> Todo:
    """Mark a todo as done and return it. Completing it again changes nothing."""
    statement = (
        todos.update()
        .where(todos.c.id == todo_id, todos.c.caller_id == caller.id)
        .values(done_at=func.coalesce(todos.c.done_at, int(now.timestamp())))
        .returning(todos)
    )
    async with database.begin() as connection:
        row = (await connection.execute(statement)).mappings().one_or_none()
    if row is None:
        raise _unknown(todo_id)
    return _todo(row)


@router.delete("/{todo_id}", operation_id="delete_todo", summary="Delete a todo")
@operation(scope="todos:write", consequential=True, raises=(NotFound,))
async def delete_todo(todo_id: TodoId, caller: CurrentCaller, database: Database) -> DeletedTodo:
    """Delete a todo for good. To say that it is done, call complete_todo instead."""
    statement = (
        todos.delete()
        .where(todos.c.id == todo_id, todos.c.caller_id == caller.id)
        .returning(todos.c.text)
    )
    async with database.begin() as connection:
        text = (await connection.execute(statement)).scalar_one_or_none()
    if text is None:
        raise _unknown(todo_id)
    return DeletedTodo(id=todo_id, text=text, message=f"Deleted todo {todo_id}: {text}")


def _todo(row: Mapping[Any, Any]) -> Todo:
    done_at = row["done_at"]
    return Todo(
        id=row["id"],
        text=row["text"],
        done=done_at is not None,
        created_at=datetime.fromtimestamp(row["created_at"], UTC),
        done_at=None if done_at is None else datetime.fromtimestamp(done_at, UTC),
    )


def _unknown(todo_id: int) -> NotFound:
    return NotFound(f"There is no todo {todo_id}. Call list_todos for the ids that exist.")
