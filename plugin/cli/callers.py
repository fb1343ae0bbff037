"""What callers are called: keys by their name, the others by the subject of their token."""

import time
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Engine

from plugin.auth.jwt import caller_id
from plugin.auth.keys import KeyStore
from plugin.ledger.reader import last_name


def names(database: Engine, issuers: Collection[str], wanted: Iterable[str]) -> Mapping[str, str]:
    """The names of some callers, by id; two of one name go by their ids as well.

    A caller with a token is its subject and which of `issuers` it is of.
    """
    keys = {record.id: record.name for record in KeyStore(database, time.time).list()}
    called = list(keys.values())
    twice = {name for name in called if called.count(name) > 1}
    found = {id_: f"{name} ({id_})" if name in twice else name for id_, name in keys.items()}
    for id_ in {*wanted} - found.keys():
        found[id_] = _with_token(database, issuers, id_)
    return found


def _with_token(database: Engine, issuers: Collection[str], id_: str) -> str:
    subject = last_name(database, id_)
    for issuer in issuers:
        if subject is not None and caller_id(issuer, subject) == id_:
            return _printable(f"{subject} at {issuer}")
    return id_


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
