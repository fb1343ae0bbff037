"""What can be wrong with an idempotency key."""

from plugin.errors import PluginError

SOON = {"retry-after": "1"}
_IN_VAIN = {"x-should-retry": "false"}  # OpenAI's SDKs would


class InvalidKey(PluginError):  # noqa: N818 - names say what is wrong, not that it is an error
    """The header holds no key."""

    status = 400
    code = "invalid_idempotency_key"
    title = "The idempotency key cannot be used"

    def __init__(self) -> None:
        super().__init__(
            "The header Idempotency-Key must come once, with 1 to 255 printable ASCII characters; "
            "a UUID for each new call is best."
        )


class KeyReused(PluginError):  # noqa: N818
    """The key stands for another call."""

    status = 422
    code = "idempotency_key_reused"
    title = "The idempotency key stands for another call"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key came before with another path or body, and nothing was done now. "
            "Send the same call again, or use a new key for a new call.",
            headers=_IN_VAIN,
        )


class KeyInUse(PluginError):  # noqa: N818
    """The call that the key stands for is still under way."""

    status = 409
    code = "idempotency_key_in_use"
    title = "The first call with this key is still running"

    def __init__(self) -> None:
        super().__init__(
            "The first call with this Idempotency-Key is still running, and nothing was done a "
            "second time. Send it again in a moment to get its answer.",
            headers=SOON,
        )


class KeyBusy(KeyInUse):
    """The same, for clients that ask without end when they read 409."""

    status = 503
    kind = "server_error"


class AnswerNotKept(PluginError):  # noqa: N818
    """The call was carried out, and its answer was too large to keep."""

    status = 409
    code = "idempotency_answer_not_kept"
    title = "The call was carried out, its answer is not kept"

    def __init__(self, status: int) -> None:
        super().__init__(
            f"The call with this Idempotency-Key was carried out once and answered with {status}, "
            "but that answer was too large to keep. Read what it changed instead, or use a new key "
            "to carry it out again.",
            headers=_IN_VAIN,
        )


class TooManyKeys(PluginError):  # noqa: N818
    """A caller has as many keys as are kept for one."""

    status = 429
    code = "too_many_idempotency_keys"
    title = "Too many idempotency keys"
    kind = "requests"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"At most {most} idempotency keys are kept for one caller for 24 hours, and so many "
            "are there; nothing was done. Send the call without the header, or wait until older "
            "ones are gone.",
            headers={"retry-after": "3600", **_IN_VAIN},
        )


class KeysUnavailable(PluginError):  # noqa: N818
    """Nobody can tell whether the key has been used."""

    status = 503
    code = "idempotency_unavailable"
    title = "The idempotency key cannot be looked up"
    kind = "server_error"

    def __init__(self) -> None:
        super().__init__(
            "The database of this service did not answer, so nobody can tell whether this "
            "Idempotency-Key has been used, and nothing was done. Try again in a moment.",
            headers=SOON,
        )
