"""Random texts that a grammar of the engine lets through, by reading the grammar as it is sent."""

import json
import random
import re
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|/(?:[^/\\]|\\.)*/|[A-Z][A-Z0-9]*|\{\d+,\d+\}|[()|?]')
_CLASS = re.compile(r"\[((?:[^\]\\]|\\.)*)\](\{\d+,\d+\})?")
_CHARACTER = re.compile(r"\\x\{?([0-9A-F]+)\}?|\\?(.)", re.DOTALL)
_HEAD = ["%llguidance {}", "start: ROOT"]


@dataclass
class _Node:
    kind: str
    value: Any
    least: int = 1
    most: int = 1


class Sampler:
    """Writes texts of a grammar; `greedy` writes the longest repetitions."""

    def __init__(self, text: str) -> None:
        self._rules = {}
        lines = text.split("\n")
        assert lines[:2] == _HEAD
        for line in lines[2:]:
            name, _, body = line.partition(": ")
            self._tokens = _TOKEN.findall(body)[::-1]
            self._rules[name] = self._choice()
            assert not self._tokens, f"left over in {name}: {self._tokens[:5]}"

    def write(self, random: random.Random, most: int = 6) -> str:
        out: list[str] = []
        self._write(_Node("rule", "ROOT"), random, most, out)
        return "".join(out)

    def _choice(self) -> _Node:
        branches = [self._run()]
        while self._tokens and self._tokens[-1] == "|":
            self._tokens.pop()
            branches.append(self._run())
        return _Node("choice", branches)

    def _run(self) -> _Node:
        parts = []
        while self._tokens and self._tokens[-1] not in (")", "|"):
            parts.append(self._counted())
        return _Node("run", parts)

    def _counted(self) -> _Node:
        token = self._tokens.pop()
        if token == "(":
            node = self._choice()
            assert self._tokens.pop() == ")"
        elif token[0] == '"':
            node = _Node("text", json.loads(token))
        elif token[0] == "/":
            node = _Node("run", [_class(*found.groups()) for found in _CLASS.finditer(token)])
        else:
            node = _Node("rule", token)
        if self._tokens and self._tokens[-1][0] in "?{":
            count = self._tokens.pop()
            return _repeated(node, "{0,1}" if count == "?" else count)
        return node

    def _write(self, node: _Node, random: random.Random, most: int, out: list[str]) -> None:
        if node.kind == "rule":
            self._write(self._rules[node.value], random, most, out)
        elif node.kind == "choice":
            self._write(random.choice(node.value), random, most, out)
        elif node.kind == "run":
            for part in node.value:
                self._write(part, random, most, out)
        elif node.kind == "repeat":
            end = min(node.most, node.least + most)
            for _ in range(random.choice([node.least, end, random.randint(node.least, end)])):
                self._write(node.value, random, most, out)
        elif node.kind == "text":
            out.append(node.value)
        else:
            low, high = random.choice(node.value)
            out.append(chr(random.randint(low, min(high, low + 90))))


def _repeated(node: _Node, count: str) -> _Node:
    least, most = map(int, count[1:-1].split(","))
    return _Node("repeat", node, least, most)


def _class(inner: str, count: str | None) -> _Node:
    node = _Node("class", _spans(inner))
    return _repeated(node, count) if count else node


def _spans(inner: str) -> list[tuple[int, int]]:
    negated = inner.startswith("^")
    chars = [
        (found[1] is None and found[0] == "-", int(found[1], 16) if found[1] else ord(found[2]))
        for found in _CHARACTER.finditer(inner[negated:])
    ]
    spans, index = [], 0
    while index < len(chars):
        low = chars[index][1]
        if index + 2 < len(chars) and chars[index + 1][0]:
            spans.append((low, chars[index + 2][1]))
            index += 3
        else:
            spans.append((low, low))
            index += 1
    if not negated:
        return spans
    kept = [code for code in range(0x20, 0x17F) if not any(a <= code <= b for a, b in spans)]
    return [(code, code) for code in [*kept, 0x4E2D, 0x1F600]]
