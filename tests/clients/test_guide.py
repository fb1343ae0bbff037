"""Every snippet of the guide for this service runs as it stands, with the old and the new SDK.

The SDKs are installed from a registry, so their snippets run with `--long`; the gate compiles them
and runs the commands. An answer without a limit takes the engine 15 s of CPU, so the commands of
the gate are answered by a stand-in.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.environments import node_modules_of, python_of
from tests.clients.gpt_service import GptService, serving_gpt
from tests.clients.markdown import Block, blocks
from tests.clients.stand_in import ALIASES, settings_for, stand_in
from tests.sizes import sized

GUIDE = Path(__file__).parents[2] / "docs" / "guide"
SDKS = {"old": "openai-0.28", "new": "openai"}
SECTIONS = range(1, 13)
CONVERSATION = "Hello!\nName a fruit.\nexit\n"


def snippets(section: int, language: str, info: str) -> list[Block]:
    every = blocks(GUIDE / "guide.md")
    return [
        one for one in every if (one.section, one.language, one.info) == (section, language, info)
    ]


def sections(language: str, info: str) -> list[int]:
    return [section for section in SECTIONS if snippets(section, language, info)]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GptService]:
    """The service with a stand-in for its engine."""
    aliases = ALIASES | dict.fromkeys(("gpt-4", "gpt-3.5-turbo"), "stand-in-text")
    directory = tmp_path_factory.mktemp("guide")
    with stand_in() as url:
        settings = settings_for(url) | {"PLUGIN_MODEL_ALIASES": json.dumps(aliases)}
        with serving_gpt(directory, settings) as service:
            yield service


@pytest.fixture(scope="module")
def answering(request: pytest.FixtureRequest) -> GptService:
    service: GptService = request.getfixturevalue(sized("quick", "gpt"))
    return service


def test_both_languages_show_the_same_code() -> None:
    english, chinese = (blocks(GUIDE / name) for name in ("guide.md", "guide.zh.md"))
    assert [(one.section, one.text) for one in english] == [
        (one.section, one.text) for one in chinese
    ]
    assert {one.section for one in english} >= set(SECTIONS) - {7, 10}


def test_python_compiles() -> None:
    infos = [*SDKS, *(f"{sdk} chat" for sdk in SDKS)]
    found = [one for one in blocks(GUIDE / "guide.md") if one.language == "python"]
    assert {one.info for one in found} == set(infos)
    for one in found:
        compile(one.text, f"guide.md line {one.line}", "exec", dont_inherit=True)


@pytest.mark.long
@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("section", sections("python", "new"))
def test_python(gpt: GptService, section: int, sdk: str) -> None:
    script = gpt.directory / f"section_{section}_{sdk}.py"
    script.write_text("\n".join(one.text for one in snippets(section, "python", sdk)), "utf-8")
    done = gpt.run([str(python_of(SDKS[sdk])), str(script)])
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() or section == 3


@pytest.mark.long
@pytest.mark.parametrize("sdk", SDKS)
def test_the_chatbot(gpt: GptService, sdk: str) -> None:
    [snippet] = snippets(12, "python", f"{sdk} chat")
    script = gpt.directory / f"chat_{sdk}.py"
    script.write_text(snippet.text, "utf-8")
    done = gpt.run([str(python_of(SDKS[sdk])), str(script)], CONVERSATION)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("GPT：") == 2
    assert "[调用出错]" not in done.stdout
    assert done.stdout.rstrip().endswith("再见！")


@pytest.mark.parametrize("section", sections("sh", ""))
def test_commands(answering: GptService, section: int) -> None:
    for snippet in snippets(section, "sh", ""):
        if "curl" in snippet.text and shutil.which("curl") is None:
            pytest.skip("curl is not installed")
        done = answering.shell(snippet.text)
        assert done.returncode == 0, f"{snippet.text}\n{done.stderr}"
        assert done.stdout.strip(), snippet.text
        assert '"error"' not in done.stdout, done.stdout


@pytest.mark.long
def test_javascript(gpt: GptService) -> None:
    script = node_modules_of("openai-node") / "own_guide.mjs"
    script.write_text("".join(one.text for one in snippets(6, "javascript", "")), "utf-8")
    done = gpt.run(["node", str(script)])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
