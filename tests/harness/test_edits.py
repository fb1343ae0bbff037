from plugin.harness.edits import put, renamed, value_at, without

VALUE = {"a": [{"b": 1, "c": 2}, {"d": 3}], "e": 4}


def test_put_replaces_and_adds_and_leaves_the_original_alone() -> None:
    assert put(VALUE, ("a", 0, "b"), 9) == {"a": [{"b": 9, "c": 2}, {"d": 3}], "e": 4}
    assert put(VALUE, ("a", "1", "new"), None)["a"][1] == {"d": 3, "new": None}
    assert put(VALUE, (), 5) == 5
    assert VALUE == {"a": [{"b": 1, "c": 2}, {"d": 3}], "e": 4}


def test_what_lies_beside_the_path_is_shared() -> None:
    assert put(VALUE, ("a", 0, "b"), 9)["a"][1] is VALUE["a"][1]  # type: ignore[index]  # a list


def test_without_and_renamed() -> None:
    assert without(VALUE, ("a", 0, "b"))["a"][0] == {"c": 2}
    assert without(VALUE, ("e",)) == {"a": VALUE["a"]}
    assert list(renamed(VALUE, ("a", 0, "b"), "z")["a"][0].items()) == [("z", 1), ("c", 2)]
    assert list(renamed(VALUE, ("a",), "z")) == ["z", "e"]


def test_value_at_takes_the_steps_of_a_pointer() -> None:
    assert value_at(VALUE, ("a", "1", "d")) == 3
    assert value_at(VALUE, ()) is VALUE
