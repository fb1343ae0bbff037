from plugin.auth.caller import Caller


def test_a_caller_may_what_its_scopes_say() -> None:
    caller = Caller("key_1", "Ann", frozenset({"todos:read"}))
    assert caller.may("todos:read")
    assert not caller.may("todos:write")
    assert not Caller("key_2", "Bob", frozenset()).may("todos:read")


def test_a_star_is_everything() -> None:
    assert Caller("key_1", "Ann", frozenset({"*"})).may("scopes:of:later")
