"""What users of openai==0.28.1 do, in its own words; prints what came as JSON."""

import asyncio
import json
import os
import sys

import openai

found = {"version": openai.version.VERSION}
USER = [{"role": "user", "content": "Hello, world!"}]

# the guide, section 1
response = openai.ChatCompletion.create(
    model="gpt-3.5-turbo", messages=[{"role": "user", "content": "Hello, world!"}]
)
found["first"] = response.choices[0].message.content
found["organization_headers"] = response.response_ms is not None

found["stream"] = [
    chunk["choices"][0]["delta"].get("content", "")
    for chunk in openai.ChatCompletion.create(
        model="gpt-4", messages=USER, stream=True, max_tokens=12, temperature=0
    )
]

# the guide, section 5.2
completion = openai.Completion.create(
    model="text-davinci-003",
    prompt="写一个关于人工智能的开场白。",
    max_tokens=20,
    temperature=0.6,
)
found["completion"] = completion.choices[0].text
logged = openai.Completion.create(
    engine="davinci", prompt="Once upon a time", logprobs=2, max_tokens=4, echo=True
)
found["logprob_tokens"] = logged.choices[0].logprobs.tokens

edit = openai.Edit.create(
    model="text-davinci-edit-001",
    input="What day of the wek is it?",
    instruction="Fix the spelling",
)
found["edit"] = edit["choices"][0]["text"]

embedding = openai.Embedding.create(model="text-embedding-ada-002", input=["a cat", "a dog"])
found["dimensions"] = [len(one["embedding"]) for one in embedding["data"]]

found["models"] = [one["id"] for one in openai.Model.list()["data"]]
found["model"] = openai.Model.retrieve("gpt-4")["id"]
found["engines"] = len(openai.Engine.list()["data"])

moderation = openai.Moderation.create(input="I will kill you tomorrow.")
found["moderation"] = sorted(moderation["results"][0]["categories"])

functions = [
    {
        "name": "get_current_weather",
        "description": "Get the current weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string", "description": "name of the city"}},
            "required": ["location"],
        },
    }
]
called = openai.ChatCompletion.create(
    model="gpt-3.5-turbo-0613",
    messages=[{"role": "user", "content": "What is the weather in Paris?"}],
    functions=functions,
    function_call={"name": "get_current_weather"},
)
message = called.choices[0].message
found["function"] = [message.function_call.name, json.loads(message.function_call.arguments)]
found["function_finish"] = called.choices[0].finish_reason

lines = [
    {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}
]
with open("train.jsonl", "w", encoding="utf-8") as file:
    file.writelines(json.dumps(line) + "\n" for line in lines)
with open("train.jsonl", "rb") as file:
    stored = openai.File.create(file=file, purpose="fine-tune")
found["file"] = [stored["id"][:5], stored["bytes"] > 0]
found["file_listed"] = stored["id"] in [one["id"] for one in openai.File.list()["data"]]
found["file_content"] = openai.File.download(stored["id"]).decode()
found["file_deleted"] = openai.File.delete(stored["id"])["deleted"]


async def concurrently():
    asked = (
        openai.ChatCompletion.acreate(model="gpt-4", messages=USER, max_tokens=5) for _ in range(4)
    )
    return [one.choices[0].message.content for one in await asyncio.gather(*asked)]


found["async"] = asyncio.run(concurrently())


def error_of(call, **changed):
    try:
        call(**changed)
    except openai.error.OpenAIError as error:
        return [type(error).__name__, error.http_status, str(error)]
    return None


chat = openai.ChatCompletion.create
errors = {
    "wrong_key": error_of(chat, model="gpt-4", messages=USER, api_key="sk-wrong"),
    "no_model": error_of(chat, model="gpt-99", messages=USER),
    "bad_temperature": error_of(chat, model="gpt-4", messages=USER, temperature=9),
    "empty": error_of(chat, model="gpt-4", messages=[]),
    "bad_stream": error_of(chat, model="gpt-99", messages=USER, stream=True),
    "too_long": error_of(
        chat, model="gpt-4", messages=[{"role": "user", "content": "word " * 20_000}]
    ),
    "image": error_of(openai.Image.create, prompt="a cat", n=1, size="256x256"),
}
found["errors"] = errors
json.dump(found, sys.stdout, ensure_ascii=False)
assert os.environ["OPENAI_API_KEY"] not in json.dumps(errors)
