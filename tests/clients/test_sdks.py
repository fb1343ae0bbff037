"""The clients that people really use, against a live port and the embedded engine.

They are installed from a registry, so they run with `--long`; `test_published_schema.py` keeps in
the gate what they read: replies, streams, errors and headers in the published form.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.clients.environments import node_modules_of, python_of
from tests.clients.gpt_service import GptService

pytestmark = pytest.mark.long

SCRIPTS = Path(__file__).parent / "scripts"
EMBEDDING_LENGTH = 384
ALIASES = {"gpt-4", "gpt-4-32k", "gpt-3.5-turbo", "text-davinci-003"}


def ran(gpt: GptService, *command: str) -> Any:
    done = gpt.run(command)
    assert done.returncode == 0, done.stderr[-3000:]
    assert gpt.key not in done.stdout + done.stderr
    return json.loads(done.stdout)


def test_openai_0_28(gpt: GptService) -> None:
    found = ran(gpt, str(python_of("openai-0.28")), str(SCRIPTS / "openai_0_28.py"))
    assert found["version"] == "0.28.1"
    for said in ("first", "completion", "edit"):
        assert found[said].strip(), said
    assert found["stream"][0] == ""
    assert "".join(found["stream"]).strip()
    assert "".join(found["logprob_tokens"]).startswith("Once upon a time")
    assert found["dimensions"] == [EMBEDDING_LENGTH] * 2
    assert set(found["models"]) >= ALIASES
    assert found["model"] == "gpt-4"
    assert found["engines"] > 0
    assert {"hate", "violence", "self-harm", "sexual"} <= set(found["moderation"])
    name, arguments = found["function"]
    assert name == "get_current_weather"
    assert isinstance(arguments["location"], str)
    assert found["function_finish"] in {"stop", "function_call"}
    assert found["file"] == ["file-", True]
    assert found["file_listed"]
    assert found["file_deleted"]
    assert json.loads(found["file_content"])["messages"]
    assert all(found["async"])
    assert {name: error[:2] for name, error in found["errors"].items()} == {
        "wrong_key": ["AuthenticationError", 401],
        "no_model": ["InvalidRequestError", 404],
        "bad_temperature": ["InvalidRequestError", 400],
        "empty": ["InvalidRequestError", 400],
        "bad_stream": ["InvalidRequestError", 404],
        "too_long": ["InvalidRequestError", 400],
        "image": ["APIError", 501],
    }
    assert found["errors"]["wrong_key"][2].startswith("Incorrect API key provided")


def test_openai_current(gpt: GptService) -> None:
    found = ran(gpt, str(python_of("openai")), str(SCRIPTS / "openai_current.py"))
    assert found["first"].strip()
    assert found["model"] == "gpt-3.5-turbo"
    assert found["usage"] == [True, True]
    assert found["missing_headers"] == []
    assert found["request_id"].startswith("req_")
    assert found["stream_is_whole"]
    assert found["stream_ids"] == 1
    assert found["stream_usage"] > 0
    assert found["n"] == [0, 1, 2]
    assert found["logprobs"] == [True] * 3
    for call in (found["call"][1:], found["streamed_call"]):
        name, arguments = call
        assert name == "get_current_weather"
        assert isinstance(arguments["location"], str)
        assert arguments.get("unit", "celsius") in {"celsius", "fahrenheit"}
    assert found["call"][0] == "call_"
    assert found["call_finish"] == "tool_calls"
    assert found["after_tool"].strip()
    assert found["no_call"] is None
    assert set(found["parsed"]) == {"name", "country", "population"}
    finish, text = found["json_object"]
    assert finish == "length" or isinstance(json.loads(text), dict)
    assert found["completion"]
    assert found["completion_logprobs"] > 0
    assert found["dimensions"] == [128] * 3
    assert found["near_is_nearer"]
    assert found["unit_length"]
    assert found["floats"] == EMBEDDING_LENGTH
    assert set(found["models"]) >= ALIASES
    assert found["retrieved"] == "gpt-4"
    assert found["moderation"] == ["modr-", True]
    assert found["file"][:2] == ["训练.jsonl", "processed"]
    assert json.loads(found["file"][2])["messages"]
    assert found["file_listed"]
    assert found["file_deleted"]
    many, streamed = found["async"]
    assert all(many)
    assert streamed.strip()
    assert {name: error[:4] for name, error in found["errors"].items()} == {
        "wrong_key": ["AuthenticationError", 401, "invalid_api_key", None],
        "no_model": ["NotFoundError", 404, "model_not_found", "model"],
        "bad_temperature": ["BadRequestError", 400, "invalid_value", "temperature"],
        "bad_role": ["BadRequestError", 400, "invalid_value", "messages[0].role"],
        "too_long": ["BadRequestError", 400, "context_length_exceeded", "messages"],
        "bad_line": ["BadRequestError", 400, "invalid_value", "file"],
        "image": ["InternalServerError", 501, "not_offered", "model"],
        "no_path": ["NotFoundError", 404, "unknown_url", None],
    }
    assert all(error[4] for error in found["errors"].values())


def test_langchain(gpt: GptService) -> None:
    found = ran(gpt, str(python_of("langchain")), str(SCRIPTS / "langchain_current.py"))
    assert found["invoke"].strip()
    assert found["stream"] == found["invoke"]
    assert found["usage"]
    [call] = found["calls"]
    assert call["name"] == "get_current_weather"
    assert isinstance(call["args"]["location"], str)
    assert set(found["structured"]) == {"name", "country"}
    assert found["dimensions"] == EMBEDDING_LENGTH


def test_openai_node(gpt: GptService) -> None:
    place = node_modules_of("openai-node")
    # Node.js looks for packages beside the script
    script = shutil.copy(SCRIPTS / "openai_node.mjs", place)
    found = ran(gpt, "node", str(script))
    assert found["first"].strip()
    assert found["stream"].strip()
    name, arguments = found["call"]
    assert name == "get_current_weather"
    assert isinstance(arguments["location"], str)
    assert found["dimensions"] == EMBEDDING_LENGTH
    assert set(found["models"]) >= ALIASES
    assert found["error"] == ["NotFoundError", 404, "model_not_found", "model"]
