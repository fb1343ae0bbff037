from plugin.engines.llama.chat_ask import ChatAsk

HELLO = [{"role": "user", "content": "Hello"}]


def test_a_seed_does_without_the_cache() -> None:
    asked = ChatAsk(HELLO, HELLO, {}, seed=0)
    assert asked.body()["seed"] == 0
    assert asked.body()["cache_prompt"] is False
    assert "cache_prompt" not in ChatAsk(HELLO, HELLO, {}).body()


def test_what_is_changed_goes_last() -> None:
    asked = ChatAsk(HELLO, HELLO, {"temperature": 1}, stop=["a"], max_tokens=3)
    body = asked.body(temperature=0, stop=[], max_tokens=9, grammar="root ::= []")
    assert (body["temperature"], body["stop"], body["max_tokens"]) == (0, [], 9)
    assert body["grammar"] == "root ::= []"
    assert body["stream"] is True


def test_a_grammar_may_repeat_itself() -> None:
    asked = ChatAsk(HELLO, HELLO, {"dry_multiplier": 0.8})
    assert asked.body()["dry_multiplier"] == 0.8
    assert asked.body(grammar="root ::= []")["dry_multiplier"] == 0


def test_no_alternatives_without_logprobs() -> None:
    asked = ChatAsk(HELLO, HELLO, {"logprobs": True, "top_logprobs": 2})
    assert asked.body()["top_logprobs"] == 2
    assert "top_logprobs" not in asked.body(logprobs=False)
