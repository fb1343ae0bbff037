import random
from zlib import crc32

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.ledger.entries import (
    LONGEST_LINE,
    Act,
    Acted,
    Call,
    Entry,
    Opened,
    Outcome,
    Settled,
    line_of,
    read_piece,
)

texts = st.text(max_size=20)
numbers = st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
calls = st.builds(
    Call, numbers, texts, texts, texts, texts, texts, st.none() | texts, reserved=numbers
)
outcomes = st.builds(
    Outcome,
    numbers,
    numbers,
    numbers,
    st.none() | numbers,
    numbers,
    texts,
    st.none() | texts,
    st.none() | texts,
)
entries = st.one_of(
    st.builds(Opened, numbers, calls),
    st.builds(Settled, numbers, calls, outcomes),
    st.builds(Acted, numbers, st.builds(Act, numbers, texts, texts, texts, texts)),
)


def written(entry: Entry) -> bytes:
    match entry:
        case Opened(number, call):
            return line_of(["o", number, *call])
        case Settled(number, call, outcome):
            return line_of(["s", number, *call, *outcome])
        case Acted(number, act):
            return line_of(["a", number, *act])


def one(number: int) -> Opened:
    return Opened(number, Call(1, f"req_{number}", "me", "Me", "gpt", "chat", None, 5))


def lines(count: int) -> list[bytes]:
    return [written(one(number)) for number in range(count)]


@given(st.lists(entries, max_size=5))
def test_what_is_written_is_read(given: list[Entry]) -> None:
    data = b"".join(map(written, given))
    piece = read_piece(data, last=False, rows=100)
    assert piece.entries == given
    assert piece.skipped == []
    assert piece.end == len(data)


@pytest.mark.parametrize("cut", range(len(lines(1)[0])))
def test_a_torn_line_is_never_taken_for_a_whole_one(cut: int) -> None:
    first, second = lines(2)
    torn = read_piece(first + second[:cut], last=False, rows=100)
    assert (torn.entries, torn.skipped, torn.end) == ([one(0)], [], len(first))
    over = read_piece(first + second[:cut], last=True, rows=100)
    assert over.entries == [one(0)]
    assert over.skipped == ([(len(first), cut)] if cut else [])
    # what came after it, by whoever, is read all the same
    mixed = read_piece(second[:cut] + first, last=False, rows=100)
    assert mixed.entries == [one(0)]
    assert mixed.skipped == ([(0, cut)] if cut else [])


@given(st.binary(max_size=40), st.integers(min_value=0, max_value=3))
def test_rubbish_in_the_middle_costs_nothing_but_itself(rubbish: bytes, place: int) -> None:
    whole = lines(3)
    data = b"".join((*whole[:place], rubbish, *whole[place:]))
    piece = read_piece(data, last=True, rows=100)
    assert piece.entries == [one(0), one(1), one(2)]
    assert sum(found.length for found in piece.skipped) == len(rubbish)


def test_a_flipped_bit_is_seen() -> None:
    (line,) = lines(1)
    for at in range(len(line) * 8):
        broken = bytearray(line)
        broken[at // 8] ^= 1 << at % 8
        assert read_piece(bytes(broken), last=True, rows=9).entries == []


def test_a_stretch_of_zeros_is_passed_piece_by_piece() -> None:
    (line,) = lines(1)
    data = bytes(3 * LONGEST_LINE) + line
    passed, found = 0, list[Entry]()
    while passed < len(data):
        part = data[passed : passed + 2 * LONGEST_LINE]
        piece = read_piece(part, last=passed + len(part) >= len(data), rows=100)
        assert piece.end > 0
        found += piece.entries
        passed += piece.end
    assert found == [one(0)]


def test_it_stops_after_so_many_rows() -> None:
    call, outcome = one(1).call, Outcome()
    data = b"".join(written(Settled(number, call, outcome)) for number in range(5))
    piece = read_piece(data, last=True, rows=2)
    assert [entry.number for entry in piece.entries] == [0, 1]
    assert read_piece(data[piece.end :], last=True, rows=9).entries[0].number == 2


@pytest.mark.parametrize(
    "fields",
    [
        [],
        {},
        ["o"],
        ["x", 1, "some"],
        ["o", 1, *one(1).call, 1],
        ["o", "1", *one(1).call],
        ["o", True, *one(1).call],
        ["o", 2**60, *one(1).call],
        ["o", 1, *one(1).call[:-1], 5.0],
        ["s", 1, *one(1).call],
        ["o", 1, *one(1).call, *Outcome()],
        ["a", 1, *one(1).call],
    ],
)
def test_an_entry_of_another_shape_is_none(fields: object) -> None:
    body = orjson.dumps(fields)
    line = b"%08x %b\n" % (crc32(body), body)
    piece = read_piece(line, last=True, rows=9)
    assert piece.entries == []
    assert piece.skipped == [(0, len(line))]


def test_what_no_line_can_hold_is_made_to_fit() -> None:
    call = one(1).call._replace(request_id="\ud800x", model="m" * 100_000, reserved=2**70)
    (entry,) = read_piece(line_of(["o", 1, *call]), last=True, rows=9).entries
    assert isinstance(entry, Opened)
    assert entry.call.request_id == "?x"
    assert entry.call.model == "m" * 4_096
    assert entry.call.reserved == 2**53 - 1


def test_random_bytes_are_no_entries() -> None:
    data = random.Random(4).randbytes(200_000)  # noqa: S311 - the same each time
    piece = read_piece(data, last=True, rows=9)
    assert piece.entries == []
    assert piece.skipped == [(0, len(data))]
