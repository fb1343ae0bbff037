"""`plugin chat` through a pipe, and at a terminal."""

import json
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import Popen

import pytest

from tests.cli.conftest import Within
from tests.cli.scripted_gpt_api import (
    CommandLine,
    GptApi,
    error,
    stop,
    streamed,
    wait_until_it_sleeps,
)

pty = pytest.importorskip("pty")

PATIENCE = 20.0


class Terminal:
    """A process at a terminal: what it shows, and what is typed."""

    def __init__(self, command: CommandLine, *arguments: str, **environment: str) -> None:
        self._own, theirs = pty.openpty()
        command.environment |= {"TERM": "dumb", **environment}
        self.process: Popen[bytes] = command.start(
            *arguments, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self._seen = b""

    def type(self, text: str) -> None:
        os.write(self._own, text.encode())

    def until(self, text: str) -> str:
        """What was shown since the last time, up to a text."""
        wanted, until = text.encode(), time.monotonic() + PATIENCE
        while wanted not in self._seen:
            assert select.select([self._own], [], [], max(0, until - time.monotonic()))[0], (
                text,
                self._seen.decode(),
            )
            self._seen += os.read(self._own, 4096)
        shown, _, self._seen = self._seen.partition(wanted)
        return (shown + wanted).decode()

    def interrupt(self, text: str) -> None:
        """Press Ctrl-C when a text was shown and the program waits for what comes next.

        A signal between the two, in the instant before the program waits, is noticed with the next
        key only.
        """
        self.until(text)
        wait_until_it_sleeps(self.process)
        self.process.send_signal(signal.SIGINT)

    def close(self) -> None:
        stop(self.process)
        with suppress(OSError):
            os.close(self._own)


@pytest.fixture
def terminal(command: CommandLine) -> Iterator[Terminal]:
    opened = Terminal(command, "chat", LANG="zh_CN.UTF-8", PYTHONUTF8="1")
    yield opened
    opened.close()


def test_through_a_pipe_only_replies_are_printed(command: CommandLine, service: GptApi) -> None:
    service.will(streamed("你好", "！"), streamed("Two."))
    ran = command.run("chat", "--model", "m", "-t", "0", stdin="hi\n\nagain\nEXIT\nnever sent\n")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "你好！\nTwo.\n", "")
    first, second = (asked.json for asked in service.asked)
    assert (first["model"], first["temperature"], first["stream"]) == ("m", 0, True)
    assert "max_tokens" not in first
    assert second["messages"] == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "你好！"},
        {"role": "user", "content": "again"},
    ]


def test_a_failed_call_leaves_the_history_as_it_was(within: Within, service: GptApi) -> None:
    service.will(streamed("One."), error(500, None, "Broken."), streamed("Two."))
    ran = within("chat", stdin="a\nb\n/retry\n退出\n")
    assert (ran.returncode, ran.stdout) == (1, "One.\nTwo.\n")
    assert "[call failed] 500, the service's side: Broken.\nnext: send it again" in ran.stderr
    sent = [[message["content"] for message in asked.json["messages"]] for asked in service.asked]
    assert sent == [["a"], ["a", "One.", "b"], ["a", "One.", "b"]]


def test_a_reply_that_breaks_off_is_not_kept(within: Within, service: GptApi) -> None:
    service.will(streamed("half", ends=()), streamed("Two."))
    ran = within("chat", stdin="a\nb\n")
    assert (ran.returncode, ran.stdout) == (1, "half\nTwo.\n")
    assert service.asked[1].json["messages"] == [{"role": "user", "content": "b"}]


def test_the_oldest_turns_are_left_out_when_it_gets_too_long(
    within: Within, service: GptApi, tmp_path: Path
) -> None:
    too_long = error(400, "context_length_exceeded", "Too long.")
    service.will(streamed("A"), streamed("B"), too_long, too_long, streamed("C"))
    ran = within("chat", "--system", "short", stdin="a\nb\nc\n/save all.json\nexit\n")
    assert (ran.returncode, ran.stdout) == (0, "A\nB\nC\n")
    assert ran.stderr.count("its oldest turn is left out") == 2
    sent = [message["content"] for message in service.asked[-1].json["messages"]]
    assert sent == ["short", "c"]
    kept = json.loads((tmp_path / "all.json").read_text("utf-8"))
    assert [message["content"] for message in kept] == ["short", "a", "A", "b", "B", "c", "C"]
    service.will(too_long)
    assert within("chat", stdin="far too long\n").returncode == 1


def test_commands(within: Within, service: GptApi, tmp_path: Path) -> None:
    service.will(streamed("好"))
    lines = (
        "/system",
        "/system be short",
        "/model other",
        "你好",
        "/history",
        "/save talk.jsonl",
        "/save talk.jsonl",
        "/save",
        "/reset",
        "/nonsense",
        "/retry",
        "/help",
        "//path is a text",
    )
    ran = within("chat", stdin="\n".join(lines))
    assert (ran.returncode, ran.stdout) == (0, "好\n好\n")
    for told in (
        "told nothing",
        "told: be short",
        "The model is other.",
        "user: 你好\nassistant: 好",
        "Saved in talk.jsonl.",
        "talk.jsonl is there already",
        "needs the name of a file",
        "begins anew",
        "no command /nonsense",
        "no message to send again",
        "/history",
    ):
        assert told in ran.stderr
    saved = [json.loads(line) for line in (tmp_path / "talk.jsonl").read_text("utf-8").splitlines()]
    assert [one["role"] for one in saved] == ["system", "user", "assistant"]
    assert service.asked[0].json["model"] == "other"
    assert service.asked[1].json["messages"] == [
        {"role": "system", "content": "be short"},
        {"role": "user", "content": "/path is a text"},
    ]


def test_why_a_reply_ended_is_said(within: Within, service: GptApi) -> None:
    service.will(streamed("so", finish="length"))
    ran = within("chat", "--max-tokens", "1", stdin="hi\n")
    assert (ran.stdout, ran.stderr) == ("so\n", "[the answer reached its longest length]\n")


def test_input_that_is_no_text_is_said(command: CommandLine, service: GptApi) -> None:
    service.will(streamed("so"))
    command.environment |= {"LANG": "C.UTF-8", "PYTHONIOENCODING": "utf-8:strict"}
    process = command.start("chat")
    _, err = process.communicate("你好\n".encode("gbk"), timeout=PATIENCE)
    assert (process.returncode, err) == (2, b"error: what came in is not UTF-8 text\n")


def test_at_a_terminal_it_is_the_guides_chatbot(terminal: Terminal, service: GptApi) -> None:
    service.will(streamed("\n", "\n你好", "！"), error(429, None, "太快"), streamed("Two."))
    shown = terminal.until("你：")
    assert "=== 欢迎使用 GPT 聊天机器人（输入 exit 或 quit 结束） ===" in shown
    assert f"模型 gpt-4，地址 {service.url}；" in shown
    terminal.type("在吗\n")
    assert "GPT：你好！\r\n" in terminal.until("你：")
    terminal.type("b\n")
    shown = terminal.until("你：")
    assert "[调用出错] 429, your side: 太快" in shown
    assert "按回车重新发送" in shown
    terminal.type("\n")
    assert "GPT：Two." in terminal.until("你：")
    assert service.asked[2].json == service.asked[1].json
    terminal.type("Quit\n")
    terminal.until("再见！")
    assert terminal.process.wait(PATIENCE) == 0


def test_ctrl_c_stops_an_answer_and_then_the_program(terminal: Terminal, service: GptApi) -> None:
    ended = threading.Event()
    service.will(streamed("so far", pause=lambda index: index < 2 or ended.wait(PATIENCE)))
    terminal.until("你：")
    terminal.type("a\n")
    terminal.interrupt("GPT：so far")
    terminal.until("[已停止")
    ended.set()
    terminal.interrupt("你：")
    assert terminal.process.wait(PATIENCE) == 130


def test_ctrl_d_ends(terminal: Terminal) -> None:
    terminal.until("你：")
    terminal.type("\x04")
    terminal.until("再见！")
    assert terminal.process.wait(PATIENCE) == 0
