"""Which limit somebody means who types it, or one line that says what can be meant."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from plugin.errors import CannotRun
    from plugin.gate.limits import Identity
    from plugin.settings import Settings

_UNLIMITED = "unlimited"


def subject_of(
    key: str | None, model: str | None, operation: str | None, *, everything: bool
) -> tuple[str, str]:
    """The scope and the one in it that is meant."""
    from plugin.errors import CannotRun
    from plugin.gate.limits import EACH

    given = {
        "key": key,
        "model": model,
        "operation": operation,
        "all": EACH if everything else None,
    }
    found = [(scope, subject) for scope, subject in given.items() if subject is not None]
    if len(found) != 1:
        raise CannotRun("say for whom: one of --all, --key ID, --model ID, --operation ID")
    return found[0]


def which_limit(
    settings: "Settings", measure: str, per: str | None, subject: tuple[str, str]
) -> "Identity":
    """The limit that is meant; raises `CannotRun` for one that there cannot be."""
    from plugin.errors import CannotRun
    from plugin.gate.limits import MEASURES, PERIODS

    if measure not in MEASURES:
        raise CannotRun(f"{measure!r} cannot be limited; what can is {', '.join(MEASURES)}")
    if measure == "concurrent" and per not in {None, "none"}:
        raise CannotRun("concurrent requests are counted at any moment: leave --per away")
    if measure != "concurrent" and per is None:
        raise CannotRun(f"say --per: one of {', '.join(PERIODS)} (none: used up for good)")
    if per is not None and per not in PERIODS:
        raise CannotRun(f"--per {per} is no period; the periods are {', '.join(PERIODS)}")
    scope, named = subject
    return cast("Identity", (scope, known_subject(settings, scope, named), measure, per or "none"))


def known_subject(settings: "Settings", scope: str, named: str) -> str:
    """Return the id of a key, model or operation; a key may be given by a name that only it has.

    Raises `CannotRun` when it does not exist, or when several keys have that name.
    """
    from plugin.gate.limits import EACH

    if named == EACH:
        return named
    if scope == "key":
        return _key(settings, named)
    # the whole application: a second of imports that a key does not need
    from plugin.app import actions
    from plugin.services import model_ids

    known = model_ids(settings) if scope == "model" else actions(settings)
    if named not in known:
        raise _unknown(scope, named, f"the {scope}s are {', '.join(known) or 'none'}")
    return named


def _key(settings: "Settings", named: str) -> str:
    from plugin.auth.jwt import is_caller_id

    names = _keys(settings)
    if named in names or is_caller_id(named):
        return named
    found = [key for key, name in names.items() if name == named]
    if not found:
        where = (
            "`plugin keys list` shows the keys, `plugin usage --by key --json` callers of tokens"
        )
        raise _unknown("key", named, where)
    if len(found) > 1:
        raise _unknown("single key", named, f"give one of the ids {', '.join(found)}")
    return found[0]


def _unknown(scope: str, named: str, where: str) -> "CannotRun":
    from plugin.errors import CannotRun

    return CannotRun(f"there is no {scope} {named!r}; {where}")


def _keys(settings: "Settings") -> Mapping[str, str]:
    """The names of the keys by their ids."""
    import time

    from plugin.auth.keys import KeyStore
    from plugin.storage.database import open_blocking
    from plugin.storage.migrate import prepare

    prepare(settings.data_dir, settings.database)
    engine = open_blocking(settings.database)
    try:
        return {record.id: record.name for record in KeyStore(engine, time.time).list()}
    finally:
        engine.dispose()


def named(which: "Identity") -> str:
    """A limit without its cap, as acts tell it."""
    scope, subject, measure, period = which
    return f"{scope} {subject} {measure} {period}"


def cap_of(text: str, which: "Identity") -> int | None:
    """The cap that was written, None for unlimited; raises `CannotRun` for what is none."""
    from plugin.errors import CannotRun
    from plugin.gate.limits import greatest_cap

    if text == _UNLIMITED:
        return None
    most = greatest_cap(which[3])
    digits = text.replace("_", "").replace(",", "")
    if not digits.isascii() or not digits.isdigit() or int(digits[:20]) > most:
        raise CannotRun(f"{text!r} is no cap: give a number from 0 to {most}, or {_UNLIMITED}")
    return int(digits)
