"""`plugin api` as a person types it, against a service that answers by script."""

import json
import signal
import socket
import threading
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from plugin.cli.gpt_api import api, openai_command
from plugin.errors import CannotRun
from tests.cli.conftest import Within
from tests.cli.scripted_gpt_api import (
    DONE,
    CommandLine,
    GptApi,
    Scripted,
    chunk,
    error,
    event,
    said,
    stop,
    streamed,
    wait_until_it_sleeps,
    whole,
)

KEY = "sk-the-secret-of-the-tests"
ASK = ("chat.completions.create", "-m", "gpt-3.5-turbo", "-g", "告诉我一个笑话")
ROOT = Path(__file__).parents[3]

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    service: GptApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Call:
    """The command within this process: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("OPENAI_API_BASE", "PLUGIN_PORT", "PLUGIN_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_BASE_URL", service.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = api.run(arguments)
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


def test_the_guides_first_line(command: CommandLine, service: GptApi) -> None:
    service.will(said("为什么鸡要过马路？"))
    ran = command.run("api", *ASK)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "为什么鸡要过马路？\n", "")
    asked = service.only
    assert asked.line == "POST /v1/chat/completions HTTP/1.1"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    # what was not given is not sent
    assert asked.json == {
        "model": "gpt-3.5-turbo",
        "messages": [{"role": "user", "content": "告诉我一个笑话"}],
    }


def test_the_guides_second_line_prints_prompt_and_completion(call: Call, service: GptApi) -> None:
    choice = {"index": 0, "text": "Once upon a time there was", "finish_reason": "length"}
    service.will(whole({"object": "text_completion", "choices": [choice]}))
    line = ("completions.create", "-m", "text-davinci-003", "-p", "Once upon a time")
    assert call(*line) == (0, "Once upon a time there was\n", "")
    assert service.only.json["echo"] is True
    for more in (("--no-echo",), ("--suffix", "the end.")):
        call(*line, *more)
        assert not {"echo", "no_echo"} & set(service.asked[-1].json)


@pytest.mark.parametrize(
    ("given", "messages"),
    [
        (["-g", "hi"], ["user hi"]),
        (["-g", "user", "hi"], ["user hi"]),
        (["-g", "user"], ["user user"]),
        (["-g", "system", "be short", "-g", "hi", "-g", "user"], ["system be short", "user hi"]),
        (["-g", "system", "be short", "hi"], ["system be short", "user hi"]),
        (["-g", "hi", "there"], ["user hi", "user there"]),
        (["--message=--max_tokens"], ["user --max_tokens"]),
        (["-g", "- a dash and words"], ["user - a dash and words"]),
        (["--system", "be short", "-g", "assistant", "-5"], ["system be short", "assistant -5"]),
    ],
)
def test_a_message_is_a_text_or_a_role_and_a_text(
    call: Call, service: GptApi, given: list[str], messages: list[str]
) -> None:
    service.will(said("ok"))
    assert call("chat.completions.create", "-m", "m", *given)[0] == 0
    sent = [f"{one['role']} {one['content']}" for one in service.only.json["messages"]]
    assert sent[: len(messages)] == messages


def test_options_are_sent_as_the_api_names_them(call: Call, service: GptApi) -> None:
    service.will(said("ok"))
    for dashes in ("-", "_"):
        names = ("max-tokens", "top-p", "presence-penalty", "response-format", "top-logprobs")
        one, two, three, four, five = (f"--{name.replace('-', dashes)}" for name in names)
        call(*ASK, one, "9", two, "0.5", f"{three}=-1", four, "json_object", five, "2", "-t", "0")
        body = service.asked[-1].json
        del body["messages"], body["model"]
        assert body == {
            "max_tokens": 9,
            "top_p": 0.5,
            "presence_penalty": -1,
            "response_format": {"type": "json_object"},
            "top_logprobs": 2,
            "temperature": 0,
        }
    call("chat_completions.create", "-e", "m", "-g", "hi", "-M", "3", "--stop", "a", "--stop", "b")
    assert service.asked[-1].json == {
        "messages": [{"role": "user", "content": "hi"}],
        "model": "m",
        "max_tokens": 3,
        "stop": ["a", "b"],
    }
    call("--base-url", service.url, "-k", "other", *ASK, "--stop", "\n")
    assert service.asked[-1].headers["authorization"] == "Bearer other"
    assert service.asked[-1].json["stop"] == "\n"


def test_a_stream_is_printed_as_it_comes(command: CommandLine, service: GptApi) -> None:
    go_on = threading.Event()
    service.will(streamed("为什么", "鸡", "?", pause=lambda index: index < 2 or go_on.wait(20)))
    process = command.start("api", *ASK, "--stream")
    assert process.stdout is not None
    assert process.stdout.read(9).decode() == "为什么"
    go_on.set()
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out.decode(), err) == (0, "鸡?\n", b"")
    assert service.only.json["stream"] is True


def test_json_is_the_reply_itself(call: Call, service: GptApi) -> None:
    service.will(said("你好"))
    code, out, _ = call(*ASK, "--json")
    assert code == 0
    assert out.count("\n") == 1
    assert json.loads(out)["choices"][0]["message"]["content"] == "你好"
    service.will(streamed("你", "好"))
    events = [json.loads(line) for line in call(*ASK, "--json", "--stream")[1].splitlines()]
    assert [one["choices"][0]["delta"].get("content") for one in events] == ["", "你", "好", None]


def test_several_answers_and_calls_of_tools(call: Call, service: GptApi, tmp_path: Path) -> None:
    service.will(said("one", "two\n"))
    assert call(*ASK, "-n", "2")[1] == (
        "===== Chat Completion 0 =====\none\n===== Chat Completion 1 =====\ntwo\n"
    )
    with pytest.raises(CannotRun, match="leave out --stream"):
        call(*ASK, "-n", "2", "--stream")
    tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
    (tmp_path / "tools.json").write_text(json.dumps({"tools": tools}))
    function = {"name": "look", "arguments": '{"at":'}
    pieces = [
        chunk({"tool_calls": [{"index": 0, "id": "call_1", "function": function}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": ' "it"}'}}]}),
        chunk({}, "tool_calls"),
        DONE,
    ]
    service.will(Scripted(200, pieces, {"content-type": "text/event-stream"}))
    line = (*ASK, "--stream", "--tools", "@tools.json", "--tool-choice", "look")
    assert call(*line)[1] == 'look({"at": "it"})\n'
    assert service.asked[-1].json["tools"] == tools
    assert service.asked[-1].json["tool_choice"]["function"] == {"name": "look"}


@pytest.mark.parametrize(
    ("arguments", "line", "body"),
    [
        (["models.list"], "GET /v1/models", None),
        (["models.get", "-i", "ft:a/b c"], "GET /v1/models/ft%3Aa%2Fb%20c", None),
        (["engines.list"], "GET /v1/engines", None),
        (
            ["embeddings.create", "-m", "m", "-i", "a", "-i", "b", "--dimensions", "8"],
            "POST /v1/embeddings",
            {"model": "m", "input": ["a", "b"], "dimensions": 8},
        ),
        (
            ["edits.create", "-m", "m", "-i", "helo", "--instruction", "fix"],
            "POST /v1/edits",
            {"model": "m", "input": "helo", "instruction": "fix"},
        ),
        (["moderations.create", "-i", "a"], "POST /v1/moderations", {"input": "a"}),
        (
            ["image.create", "-p", "a cat", "-s", "256x256", "--num-images", "2"],
            "POST /v1/images/generations",
            {"prompt": "a cat", "size": "256x256", "n": 2},
        ),
        (["files.list"], "GET /v1/files", None),
        (["files.get", "-i", "file-1"], "GET /v1/files/file-1", None),
        (["files.delete", "-i", "file-1"], "DELETE /v1/files/file-1", None),
        (
            ["fine_tunes.create", "-t", "file-1", "-m", "davinci", "--n_epochs", "4"],
            "POST /v1/fine-tunes",
            {"training_file": "file-1", "model": "davinci", "n_epochs": 4},
        ),
        (
            ["fine_tuning.job.create", "-t", "file-1", "-m", "davinci", "--n_epochs", "4"],
            "POST /v1/fine_tuning/jobs",
            {
                "training_file": "file-1",
                "model": "davinci",
                "hyperparameters": {"n_epochs": 4},
            },
        ),
    ],
)
def test_verbs(
    call: Call, service: GptApi, arguments: list[str], line: str, body: dict[str, Any] | None
) -> None:
    reply = {"object": "list", "data": [{"id": "m", "embedding": [0.25, -1e-05]}]}
    service.will(whole(reply))
    code, out, _ = call(*arguments)
    assert (code, json.loads(out)) == (0, reply)
    assert '"embedding": [0.25, -1e-05]' in out
    asked = service.only
    assert asked.line == f"{line} HTTP/1.1"
    assert (json.loads(asked.body) if asked.body else None) == body


def test_files_go_up_and_come_down_byte_for_byte(
    call: Call, service: GptApi, tmp_path: Path
) -> None:
    content = bytes(range(256)) + '{"prompt": "你好"}\n'.encode()
    (tmp_path / "训练.jsonl").write_bytes(content)
    service.will(whole({"id": "file-1", "object": "file"}))
    assert call("files.create", "-f", "训练.jsonl", "-p", "fine-tune")[0] == 0
    kind, _, boundary = service.only.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    parts = service.only.body.split(f"--{boundary}".encode())
    file, purpose = parts[1:3]
    assert 'name="file"; filename="训练.jsonl"'.encode() in file
    assert file.endswith(b"\r\n\r\n" + content + b"\r\n")
    assert purpose.endswith(b'name="purpose"\r\n\r\nfine-tune\r\n')
    with pytest.raises(CannotRun, match=r"cannot read none\.jsonl: No such file"):
        call("files.create", "-f", "none.jsonl", "-p", "fine-tune")


def test_content_is_written_as_it_is(command: CommandLine, service: GptApi) -> None:
    content = b'{"a": 1}\r\n\xff\x00'
    service.will(Scripted(200, [content[:3], content[3:]]))
    process = command.start("api", "files.content", "-i", "file-1")
    assert process.communicate(timeout=20)[0] == content


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            error(401, "invalid_api_key", "Incorrect API key provided."),
            ["401, your side: Incorrect", "export OPENAI_API_KEY=", "req_7"],
        ),
        (
            error(429, "rate_limit_exceeded", "Slow down.", retry_after="7"),
            ["429, your side: Slow down.", "wait 7 s", "request id req_7"],
        ),
        (error(429, "insufficient_quota", "No more."), ["your side", "raise the quota"]),
        (
            error(500, "internal_error", "Broken."),
            ["500, the service's side: Broken.", "send it again", "request id req_7"],
        ),
        (
            error(503, "engine_unavailable", "Starting.", retry_after="1"),
            ["503, the service's side: Starting.", "wait 1 s and send it again"],
        ),
        (error(502, "upstream_error", "It broke."), ["502, the upstream's side", "wait a few s"]),
        (error(404, "model_not_found", "No such model."), ["your side", "plugin api models.list"]),
        (error(400, "context_length_exceeded", "Too long."), ["--max-tokens"]),
        (error(400, "invalid_value", "Out\nof \x1b[31mrange."), ["Out of ?[31mrange."]),
        (error(501, "not_offered", "Set PLUGIN_X."), ["the service's side: Set PLUGIN_X."]),
        (Scripted(502, [b"<html>"]), ["status 502, and not as the GPT API", "upstream's side"]),
        (whole({"detail": "x"}, 404), ["status 404, and not as the GPT API", "ends in /v1"]),
        (Scripted(200, [b"<html>"]), ["is not the GPT API's", "ends in /v1"]),
        (
            Scripted(302, headers={"location": "http://127.0.0.1:9/"}),
            ["sends callers elsewhere (302), to http://127.0.0.1:9/", "--base-url"],
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_says_what_failed_whose_side_and_what_next(
    call: Call, service: GptApi, answer: Scripted, told: list[str], stream: bool
) -> None:
    service.will(answer)
    code, out, err = call(*ASK, *(("--stream",) if stream else ()))
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 2
    for text in told:
        assert text in err
    assert KEY not in err
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ([], "broke off before its end"),
        ([event({"error": {"message": "The engine stopped.", "code": None}})], "engine stopped."),
    ],
)
def test_a_stream_without_its_end_is_an_error(
    call: Call, service: GptApi, ends: list[bytes], told: str
) -> None:
    service.will(streamed("so far", ends=ends))
    code, out, err = call(*ASK, "--stream")
    assert (code, out) == (1, "so far\n")
    assert told in err
    service.will(streamed("so far", pause=lambda index: index < 2))
    assert call(*ASK, "--stream")[0] == 1


def test_a_service_that_is_silent_is_given_up(call: Call, service: GptApi) -> None:
    ended = threading.Event()
    service.will(streamed("so", pause=lambda index: index < 2 or ended.wait(20)))
    code, out, err = call(*ASK, "--stream", "--timeout", "0.2")
    ended.set()
    assert (code, out) == (1, "so\n")
    assert "sent nothing for 0.2 s" in err


def test_nobody_there_is_one_line_with_the_next_command(within: Within) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        ran = within("api", "models.list", "-b", f"http://127.0.0.1:{port}/v1")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"error: no service runs at http://127.0.0.1:{port}/v1; start one with `make up` or "
        "`plugin up`, or set OPENAI_BASE_URL to one that runs\n"
    )


def test_a_connection_that_is_closed_unanswered(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(10_000)
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()

        taking = threading.Thread(target=hang_up)
        taking.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        code, _, err = call("models.list", "-b", address)
        taking.join()
    assert code == 1
    assert "closed the connection without an answer" in err


def test_why_an_upload_is_refused_half_way_is_told(call: Call, tmp_path: Path) -> None:
    body = json.dumps({"error": {"message": "Too large.", "code": None}}).encode()
    head = b"HTTP/1.1 413 X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(30_000_000)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(head + body)

        taking = threading.Thread(target=refuse)
        taking.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        code, _, err = call("files.create", "-f", "large", "-p", "batch", "-b", address)
        taking.join()
    assert code == 1
    assert "413, your side: Too large.\nnext: send less at a time" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["chat.completion.create"], "did you mean chat.completions.create"),
        (["chat.completions.create", "-m", "m"], "required: -g/--message"),
        (["chat.completions.create", "-g", "hi"], "-m MODEL is needed"),
        (["models.list", "--colour"], "unrecognized arguments: --colour"),
        ([*ASK, "-t", "warm"], "invalid float value: 'warm'"),
        ([*ASK, "--response-format", "{"], "is no JSON"),
        ([*ASK, "--timeout", "0"], "above 0"),
        ([*ASK, "--base-url", "ftp://x"], "is no address of a service"),
        ([*ASK, "--key", "你的_API_KEY"], "what --key holds is no key"),
    ],
)
def test_what_cannot_be_sent_is_one_line(
    within: Within, service: GptApi, arguments: list[str], told: str
) -> None:
    ran = within("api", *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert told in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert service.asked == []


def test_ctrl_c_ends_at_once(command: CommandLine, service: GptApi) -> None:
    ended = threading.Event()
    service.will(streamed("so far", pause=lambda index: index < 2 or ended.wait(20)))
    process = command.start("api", *ASK, "--stream")
    assert process.stdout is not None
    assert process.stdout.read(6) == b"so far"
    wait_until_it_sleeps(process)
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(10) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""
    finally:
        ended.set()
        stop(process)


def test_a_closed_pipe_is_no_error(command: CommandLine, service: GptApi) -> None:
    ended = threading.Event()
    service.will(streamed("a", "b", "c", pause=lambda index: index != 2 or ended.wait(20)))
    process = command.start("api", *ASK, "--stream")
    assert process.stdout is not None
    assert process.stdout.read(1) == b"a"
    process.stdout.close()
    ended.set()
    assert process.stderr is not None
    assert (process.wait(20), process.stderr.read()) == (141, b"")
    stop(process)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_the_verbs(call: Call, arguments: list[str]) -> None:
    code, out, _ = call(*arguments)
    assert code == 0
    for verb in ("chat.completions.create", "completions.create", "files.content", "fine_tunes"):
        assert verb in out


def test_help_of_a_verb_lists_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        api.run(["chat.completions.create", "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for option in ("-g, --message", "-M, --max-tokens N", "--base-url", "--json"):
        assert option in shown


def test_a_text_from_standard_input(within: Within, service: GptApi) -> None:
    service.will(said("ok"))
    line = ("api", "chat.completions.create", "-m", "m", "-g", "-")
    assert within(*line, stdin="two\nlines").returncode == 0
    assert service.only.json["messages"] == [{"role": "user", "content": "two\nlines"}]


def test_openai_is_the_same_command(
    call: Call, service: GptApi, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    import tomllib

    project = tomllib.loads((ROOT / "packages/openai-command/pyproject.toml").read_text("utf-8"))
    script = EntryPoint("openai", project["project"]["scripts"]["openai"], "console_scripts")
    main = script.load()
    assert main is openai_command.main
    service.will(said("ha"))
    with pytest.raises(SystemExit) as ended:
        main(["-k", "other", "api", *ASK])
    assert (ended.value.code, capsysbinary.readouterr().out) == (0, b"ha\n")
    assert service.only.headers["authorization"] == "Bearer other"
    with pytest.raises(SystemExit) as ended:
        main(["api", "chat.completions.create", "-g", "hi"])
    assert ended.value.code == 2
    assert b"-m MODEL is needed" in capsysbinary.readouterr().err
    main(["--version"])
    assert b"openai (gpt-plugin" in capsysbinary.readouterr().out
    assert call("--help")[1].replace("plugin api", "openai api") == _help(main, capsysbinary)


def _help(main: Callable[..., None], captured: pytest.CaptureFixture[bytes]) -> str:
    with pytest.raises(SystemExit):
        main(["api", "--help"])
    return captured.readouterr().out.decode()
