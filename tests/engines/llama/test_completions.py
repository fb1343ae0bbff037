"""Legacy completions: prompts of every kind, echo, suffix, the best of several, old logprobs."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from plugin.engines.llama.engine import Llama
from plugin.engines.llama.link import Link
from plugin.errors import ContextLengthExceeded, InvalidRequest
from tests.engines.llama.asking import COMPLETIONS, asked, chunks, said, whole
from tests.engines.llama.conftest import StandsIn
from tests.engines.llama.stand_in import Answer, Body, answer_json, text_events, token, until

ENGINE = "/v1/completions"


def writing(*texts: str, **more: Any) -> Any:
    """An engine that writes always the same, and counts a token a letter."""

    def answer(path: str, body: Body) -> Answer:
        if path == "/tokenize":
            pieces = [{"id": ord(letter), "piece": letter} for letter in body["content"]]
            with_pieces = body.get("with_pieces")
            return answer_json(
                {"tokens": pieces if with_pieces else [piece["id"] for piece in pieces]}
            )
        if path == "/detokenize":
            return answer_json({"content": "".join(map(chr, body["tokens"]))})
        if not body.get("stream"):
            forced = chr(body["logit_bias"][0][0])
            told = {"content": [token(forced, -len(body["prompt"]), others=("the", "a"))]}
            return answer_json({"choices": [{"text": forced, "logprobs": told}]})
        return Answer(pieces=text_events(*texts, **more))

    return answer


async def test_a_whole_answer(stand_in: StandsIn) -> None:
    server, link = await stand_in(writing(" time", ","))
    reply = await whole(Llama(link), COMPLETIONS, prompt="Once upon a")
    assert reply["id"].startswith("cmpl-")
    assert reply["choices"] == [
        {"text": " time,", "index": 0, "logprobs": None, "finish_reason": "length"}
    ]
    assert reply["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert server.bodies(ENGINE)[0]["max_tokens"] == 16


async def test_a_stream(stand_in: StandsIn) -> None:
    _, link = await stand_in(writing(" time", ",", finish="stop"))
    told = await chunks(
        Llama(link), COMPLETIONS, prompt="Once", stream_options={"include_usage": True}
    )
    assert said(told) == " time,"
    assert [one["finish_reason"] for chunk in told for one in chunk["choices"]] == [
        None,
        None,
        "stop",
    ]
    assert told[-1]["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@pytest.mark.parametrize(
    ("prompt", "sent"),
    [
        ("Once", ["Once"]),
        (["Once", "Twice"], ["Once", "Twice"]),
        ([5, 6], [[5, 6]]),
        ([[5, 6], [7]], [[5, 6], [7]]),
        ("", [[0]]),
    ],
)
async def test_every_kind_of_prompt(
    stand_in: StandsIn, prompt: object, sent: Sequence[object]
) -> None:
    server, link = await stand_in(writing("x"))
    reply = await whole(Llama(link), COMPLETIONS, prompt=prompt)
    assert [body["prompt"] for body in server.bodies(ENGINE)] == sent
    assert [choice["index"] for choice in reply["choices"]] == list(range(len(sent)))
    assert reply["usage"]["prompt_tokens"] == 3 * len(sent)


async def test_without_a_prompt_a_new_text_begins(stand_in: StandsIn) -> None:
    server, link = await stand_in(writing("x"))
    await whole(Llama(link), COMPLETIONS)
    assert server.bodies(ENGINE)[0]["prompt"] == [0]


async def test_choices_of_several_prompts(stand_in: StandsIn) -> None:
    server, link = await stand_in(
        lambda _, body: Answer(pieces=text_events(body["prompt"], str(body["seed"])))
    )
    reply = await whole(Llama(link), COMPLETIONS, prompt=["a", "b"], n=2, seed=0)
    assert [choice["text"] for choice in reply["choices"]] == ["a0", "a1", "b2", "b3"]
    assert reply["usage"] == {"prompt_tokens": 6, "completion_tokens": 8, "total_tokens": 14}
    assert all("n" not in body for body in server.bodies(ENGINE))
    told = await chunks(Llama(link), COMPLETIONS, prompt=["a", "b"], n=2, seed=0)
    assert [said(told, choice) for choice in range(4)] == ["a0", "a1", "b2", "b3"]


async def test_echo(stand_in: StandsIn) -> None:
    _, link = await stand_in(writing(" time"))
    reply = await whole(Llama(link), COMPLETIONS, prompt="Once", echo=True)
    assert reply["choices"][0]["text"] == "Once time"
    told = await chunks(Llama(link), COMPLETIONS, prompt=[79, 110], echo=True)
    assert [chunk["choices"][0]["text"] for chunk in told] == ["On", " time", ""]


async def test_echo_alone(stand_in: StandsIn) -> None:
    server, link = await stand_in(writing("never"))
    reply = await whole(Llama(link), COMPLETIONS, prompt="Once", echo=True, max_tokens=0)
    assert reply["choices"][0]["text"] == "Once"
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["usage"] == {"prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4}
    assert not server.bodies(ENGINE)


async def test_no_tokens_at_all(stand_in: StandsIn) -> None:
    _, link = await stand_in(writing("never"))
    reply = await whole(Llama(link), COMPLETIONS, prompt=[5, 6], max_tokens=0)
    assert reply["choices"][0]["text"] == ""
    assert reply["usage"]["prompt_tokens"] == 2
    with pytest.raises(ContextLengthExceeded, match="resulted in 3000 tokens"):
        await whole(Llama(link), COMPLETIONS, prompt="x" * 3000, max_tokens=0)


async def test_logprobs_in_the_old_shape(stand_in: StandsIn) -> None:
    _, link = await stand_in(writing("你好", "!", logprob=-0.5))
    reply = await whole(Llama(link), COMPLETIONS, prompt="Once", logprobs=2)
    assert reply["choices"][0]["logprobs"] == {
        "tokens": ["你好", "!"],
        "token_logprobs": [-0.5, -0.5],
        "top_logprobs": [
            {"你好": -0.5, "best": -0.5, "next": -1.5},
            {"!": -0.5, "best": -0.5, "next": -1.5},
        ],
        "text_offset": [0, 2],
    }
    told = await chunks(Llama(link), COMPLETIONS, prompt="Once", logprobs=0)
    streamed = [chunk["choices"][0]["logprobs"] for chunk in told[:2]]
    assert [each["text_offset"] for each in streamed] == [[0], [2]]
    assert [each["top_logprobs"] for each in streamed] == [[{"你好": -0.5}], [{"!": -0.5}]]


async def test_logprobs_of_the_prompt(stand_in: StandsIn) -> None:
    server, link = await stand_in(writing("!", logprob=-0.5))
    reply = await whole(Llama(link), COMPLETIONS, prompt="abc", echo=True, logprobs=1)
    told = reply["choices"][0]["logprobs"]
    assert told["tokens"] == ["a", "b", "c", "!"]
    assert told["token_logprobs"] == [-1, -2, -3, -0.5]
    assert told["text_offset"] == [0, 1, 2, 3]
    assert told["top_logprobs"][0] == {"a": -1, "the": -1}
    scored = [body["prompt"] for body in server.bodies(ENGINE) if not body.get("stream")]
    assert scored == [[0], [0, 97], [0, 97, 98]]


async def test_the_best_of_several(stand_in: StandsIn) -> None:
    likely = {0: -3.0, 1: -0.1, 2: -2.0}
    _, link = await stand_in(
        lambda _, body: Answer(pieces=text_events(str(body["seed"]), logprob=likely[body["seed"]]))
    )
    reply = await whole(Llama(link), COMPLETIONS, prompt="x", best_of=3, n=2, seed=0)
    assert [choice["text"] for choice in reply["choices"]] == ["1", "2"]
    assert [choice["logprobs"] for choice in reply["choices"]] == [None, None]
    assert reply["usage"] == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}


async def test_a_suffix_is_told_and_stops_the_text(stand_in: StandsIn) -> None:
    server, link = await stand_in(writing(" so."))
    await whole(Llama(link), COMPLETIONS, prompt="It was", suffix=" and that was all.", stop="\n")
    body = server.bodies(ENGINE)[0]
    assert body["prompt"].endswith("\n\nIt was")
    assert '"and that was all."' in body["prompt"]
    assert body["stop"] == ["\n", "and that was"]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n": 9}, "n"),
        ({"best_of": 9}, "best_of"),
        ({"n": 3, "best_of": 2}, "best_of"),
        ({"best_of": 2, "stream": True}, "best_of"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": ["a"] * 65, "n": 2}, "prompt"),
        ({"prompt": [49_152], "echo": True}, "prompt"),
        ({"prompt": [[1], [-1]]}, "prompt"),
        ({"prompt": [1], "suffix": "x"}, "suffix"),
        ({"echo": True, "suffix": "x"}, "suffix"),
    ],
)
async def test_what_cannot_be_done_is_refused(stand_in: StandsIn, more: Body, param: str) -> None:
    server, link = await stand_in(writing("x"))
    with pytest.raises(InvalidRequest) as caught:
        await Llama(link).answer(asked(COMPLETIONS, {"prompt": "Once", **more}))
    assert caught.value.param == param
    assert server.asked == []


async def test_cancelling_stops_every_text(stand_in: StandsIn) -> None:
    server, link = await stand_in(lambda *_: Answer(pieces=text_events("a")[:1], silent=True))
    body = {"prompt": ["a", "b"], "n": 2}
    answering = asyncio.ensure_future(Llama(link).answer(asked(COMPLETIONS, body)))
    await until(lambda: len(server.asked) == 4)
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
    await until(lambda: server.gone == 4)


async def test_the_real_engines_tokens_and_count(llama: Llama, real_link: Link) -> None:
    text = "Once upon a time"
    tokens = (await real_link.post("text", "/tokenize", {"content": text}))["tokens"]
    body = {"max_tokens": 6, "seed": 3, "temperature": 0.7}
    by_text = await whole(llama, COMPLETIONS, prompt=text, **body)
    by_tokens = await whole(llama, COMPLETIONS, prompt=tokens, **body)
    assert by_text["choices"] == by_tokens["choices"]
    assert by_text["usage"]["prompt_tokens"] == len(tokens)
    assert by_text["usage"]["completion_tokens"] == 6


async def test_the_real_engine_scores_a_prompt(llama: Llama) -> None:
    body: Body = {"echo": True, "max_tokens": 0, "logprobs": 1}
    reply = await whole(llama, COMPLETIONS, prompt=["The sky is blue", "你好 😀"], **body)
    english, chinese = (choice["logprobs"] for choice in reply["choices"])
    assert english["tokens"] == ["The", " sky", " is", " blue"]
    assert english["text_offset"] == [0, 3, 7, 10]
    assert all(-20 < each < 0 for each in english["token_logprobs"])
    odd = await whole(llama, COMPLETIONS, prompt="The sky is llama", **body)
    # what is usual is likelier than what is odd
    assert english["token_logprobs"][3] > odd["choices"][0]["logprobs"]["token_logprobs"][3]
    assert chinese["tokens"] == ["你", "好", " 😀"]


async def test_the_real_engine_refuses_what_it_cannot_read(llama: Llama) -> None:
    await llama.answer(asked(COMPLETIONS, {"prompt": [49_151], "max_tokens": 1}))
    with pytest.raises(ContextLengthExceeded, match="your prompt resulted in") as caught:
        await llama.answer(asked(COMPLETIONS, {"prompt": "x " * 9000}))
    assert caught.value.param == "prompt"
