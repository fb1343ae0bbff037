"""Sends good calls with mistakes in them to a service and grades how it refuses each.

A good call is sent as it is after its mistakes: later ones may need what it does, and a service
that lets a mistake pass then has something that could be harmed.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace

from plugin.contract.requests.request import NotExpressible
from plugin.harness.exchange import Response
from plugin.harness.faults import FaultKind
from plugin.harness.grading import Grade, Refusal, SideEffect, refusal_of, wording_of
from plugin.harness.judge import strict_names
from plugin.harness.mutate import Mutated, Mutator, is_good
from plugin.harness.replay import CANNOT_CARRY, NEEDS_LEAVE, Outcome, Place, Replay, Replayed
from plugin.harness.transcript import Reply, Unreadable
from plugin.harness.wire import in_path, request_with_mistake

State = Callable[[], object]
"""What the operations of a service have stored, as a value that equals itself while unchanged."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """One run of mistakes. `state` is None for a service into whose database nobody can look."""

    replay: Replay
    mutator: Mutator
    state: State | None = None

    async def run(
        self, replies: Iterable[Reply | Unreadable]
    ) -> AsyncIterator[Replayed | Unreadable]:
        """Each mistake made in a good call, with its grade; rows that cannot be read as well."""
        judge = self.replay.judge
        for reply in replies:
            if isinstance(reply, Unreadable):
                yield reply
                continue
            verdicts = judge.judge_reply(reply)
            made = list(self.mutator.mutations(reply, verdicts, judge))
            for index, verdict in enumerate(verdicts):
                for mutated in made:
                    if mutated.call == index:
                        yield await self._met(reply, mutated)
                if is_good(verdict):
                    await self.replay.call(self.replay.place(reply, index, verdict))

    async def _met(self, reply: Reply, mutated: Mutated) -> Replayed:
        """What became of a mistake."""
        verdicts = self.replay.judge.judge(mutated.calls, strict=strict_names(reply.tools))
        at = self.replay.place(reply, mutated.call, verdicts[-1])
        if at.repaired is not None:
            replayed, grade = await self.replay.call(at), Grade(Refusal.REPAIRED)
        else:
            replayed, grade = await self._sent(at, mutated)
        return replace(replayed, mutation=mutated.mutation, grade=grade)

    async def _sent(self, at: Place, mutated: Mutated) -> tuple[Replayed, Grade]:
        mutation, wrong = mutated.mutation, Outcome.CALL_WAS_WRONG
        if mutation.expect is FaultKind.DUPLICATE_PARALLEL:
            reason = "each of the two calls is good alone: only the harness sees that it came twice"
            return at.outcome(wrong, reason=reason), Grade(Refusal.BY_HARNESS)
        operation = self.replay.operations.get(at.name)
        if operation is None:
            reason = f"{CANNOT_CARRY}: there is no such operation"
            return at.outcome(wrong, reason=reason), Grade(Refusal.NOT_EXPRESSIBLE)
        if self.replay.needs_leave(operation):
            return at.outcome(Outcome.NOT_SENT, reason=NEEDS_LEAVE), Grade(Refusal.NOT_SENT)
        tool = self.replay.judge.tools[at.name]
        written = at.verdict.call.arguments if at.arguments is None else at.arguments
        try:
            request = request_with_mistake(operation, tool, written, mutation.pointer)
        except NotExpressible as error:
            reason = f"{CANNOT_CARRY}: {error}"
            return at.outcome(wrong, reason=reason), Grade(Refusal.NOT_EXPRESSIBLE)
        before = self.state() if self.state else None
        replayed, response = await self.replay.exchange(at, operation, request)
        is_in_path = in_path(operation, mutation.pointer)
        return replayed, self._grade(replayed, response, mutated, before, is_in_path=is_in_path)

    def _grade(
        self,
        replayed: Replayed,
        response: Response | None,
        mutated: Mutated,
        before: object,
        *,
        is_in_path: bool,
    ) -> Grade:
        if replayed.outcome is Outcome.NOT_SENT:
            return Grade(Refusal.NOT_SENT)
        effect: SideEffect = "unknown"
        if self.state:
            effect = "none" if self.state() == before else "changed"
        if response is None:
            return Grade(Refusal.FAILED, effect)
        wording = wording_of(response, mutated.mutation)
        refusal = refusal_of(response, wording, in_path=is_in_path)
        return Grade(refusal, effect, wording if refusal is Refusal.REFUSED else None)
