"""Why a token is refused: each refusal names the rule that was broken, and never the token."""

from collections.abc import Awaitable, Callable

from plugin.errors import NotAuthenticated


class Refused(NotAuthenticated):
    """A token that breaks `rule`; `reason` completes the sentence, in plain ASCII."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(f"The token is refused by the rule `{rule}`: {reason}.")
        self.rule = rule


class Undecided(Refused):
    """The key of a token may arrive soon: wait for `settled`, then ask once more.

    `settled` returns within a bounded time, whatever happens. Whoever cannot wait refuses.
    """

    def __init__(self, rule: str, reason: str, settled: Callable[[], Awaitable[None]]) -> None:
        super().__init__(rule, reason)
        self.settled = settled
