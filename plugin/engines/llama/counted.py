"""What several choices took together, as OpenAI counts it."""

from plugin.messages import Usage


class Counted:
    """Adds up choices: every prompt counts once for all of its choices, what is written always.

    The first `of_one_prompt` choices answer the first prompt, and so on; `total` grows with them.
    """

    def __init__(self, choices: int, of_one_prompt: int) -> None:
        self.total = Usage()
        self._each = [Usage() for _ in range(choices)]
        self._of_one_prompt = of_one_prompt

    def add(self, choice: int, usage: Usage | None) -> None:
        """Take up what the choice says that it has taken so far."""
        if usage is None:
            return
        self._each[choice] = usage
        self.total.completion_tokens = sum(each.completion_tokens for each in self._each)
        self.total.prompt_tokens = sum(
            max(each.prompt_tokens for each in self._each[begin : begin + self._of_one_prompt])
            for begin in range(0, len(self._each), self._of_one_prompt)
        )


def total(one: Usage, other: Usage) -> Usage:
    """What two pieces of work took together, each of them with a prompt of its own."""
    return Usage(
        one.prompt_tokens + other.prompt_tokens, one.completion_tokens + other.completion_tokens
    )
