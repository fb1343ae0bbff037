"""The user's guide as it was printed: its snippets run, letter for letter, but for two marks.

Those are the `…` in section 3, which Python does not read, and `pythonCopyEdit` in section 12.
It runs with `--long`, beside `test_guide.py`, which runs the commands of our own guide in the gate.
"""

import json
from pathlib import Path

import pytest

from tests.clients.environments import node_modules_of, python_of
from tests.clients.gpt_service import GptService
from tests.clients.markdown import Block, blocks

GUIDE = Path(__file__).parents[3] / "shared" / "guide" / "guide.zh.md"


if not GUIDE.exists():
    pytest.skip(f"no printed guide at {GUIDE}", allow_module_level=True)


pytestmark = pytest.mark.long


def block(section: int, language: str, containing: str = "") -> Block:
    [found] = [
        one
        for one in blocks(GUIDE)
        if (one.section, one.language) == (section, language) and containing in one.text
    ]
    return found


def python(gpt: GptService, source: str, given: str = "") -> str:
    """Run with the SDK that the guide was written for."""
    script = gpt.directory / "snippet.py"
    script.write_text(source, "utf-8")
    done = gpt.run([str(python_of("openai-0.28")), str(script)], given)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_1_the_first_request(gpt: GptService) -> None:
    assert python(gpt, block(1, "python", "ChatCompletion").text).strip()


def test_1_the_key_in_the_code(gpt: GptService) -> None:
    key = block(1, "python", "openai.api_key").text.replace("你的_API_KEY", gpt.key)
    first = block(1, "python", "ChatCompletion").text
    assert python(gpt, key + first).strip()


def test_2_the_key_in_the_configuration(gpt: GptService, tmp_path: Path) -> None:
    written = block(2, "ini").text.replace("sk-xxx", gpt.key)
    (tmp_path / ".openai").mkdir(mode=0o700)
    (tmp_path / ".openai" / "config").write_text(written)
    (tmp_path / ".openai" / "config").chmod(0o600)
    asked = f"HOME={tmp_path} OPENAI_API_KEY= openai api models.list"
    done = gpt.shell(asked)
    assert done.returncode == 0, done.stderr
    assert "gpt-4" in done.stdout


def test_3_retrying_when_limited(gpt: GptService) -> None:
    source = block(3, "python").text
    assert source.count("…") == 1
    asked = 'model="gpt-4", max_tokens=5, messages=[{"role": "user", "content": "Hi"}]'
    said = python(gpt, f"import openai\n{source.replace('…', asked)}\nprint(resp.choices[0])\n")
    assert json.loads(said)["message"]["content"]


def test_5_chat_over_http(gpt: GptService) -> None:
    head, _, body = block(5, "http").text.partition("\n\n")
    request, *headers = head.splitlines()
    method, path = request.split()
    sent = dict(line.split(": ", 1) for line in headers)
    sent["Authorization"] = sent["Authorization"].replace("$OPENAI_API_KEY", gpt.key)
    answer = gpt.running.address.call(method, path, sent, body.encode())
    assert answer.status == 200, answer.body
    assert answer.json()["choices"][0]["message"]["content"]


def test_5_completion(gpt: GptService) -> None:
    source = block(5, "python").text
    said = python(gpt, f"import openai\n{source}\nprint(resp)\n")
    assert json.loads(said)["choices"][0]["text"]


def test_6_javascript(gpt: GptService) -> None:
    script = node_modules_of("openai-node") / "guide.mjs"
    script.write_text("".join(one.text for one in blocks(GUIDE) if one.language == "javascript"))
    done = gpt.run(["node", str(script)])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("command", ["chat.completions.create", "completions.create"])
def test_8_the_command_line(gpt: GptService, command: str) -> None:
    line = block(8, "bash", f"api {command}").text
    done = gpt.shell(line)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_9_a_function(gpt: GptService) -> None:
    functions = json.loads("{" + block(9, "json").text + "}")["functions"]
    asked = f"""
import json, openai
reply = openai.ChatCompletion.create(
    model="gpt-3.5-turbo",
    messages=[{{"role": "user", "content": "北京天气怎么样？"}}],
    functions={functions!r},
)
print(json.dumps(reply.choices[0].message))
"""
    called = json.loads(python(gpt, asked))["function_call"]
    assert called["name"] == "get_current_weather"
    assert json.loads(called["arguments"])["location"]


def test_12_the_chatbot(gpt: GptService) -> None:
    source = block(12, "python").text
    assert source.startswith("pythonCopyEdit")
    said = python(gpt, source.removeprefix("pythonCopyEdit"), "Hello!\n你好\nexit\n")
    assert said.startswith("=== 欢迎使用 GPT 聊天机器人")
    assert said.count("GPT：") == 2
    assert "[调用出错]" not in said
    assert said.rstrip().endswith("再见！")
