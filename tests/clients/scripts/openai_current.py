"""What users of the current openai package do; prints what came as JSON."""

import asyncio
import json
import sys

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

client = OpenAI(max_retries=0)
found = {"version": openai.__version__}
USER = [{"role": "user", "content": "Hello, world!"}]

response = client.chat.completions.create(model="gpt-3.5-turbo", messages=USER)
found["first"] = response.choices[0].message.content
found["model"] = response.model
found["usage"] = [response.usage.prompt_tokens > 0, response.usage.completion_tokens > 0]

raw = client.chat.completions.with_raw_response.create(model="gpt-4", messages=USER, max_tokens=3)
wanted = ("x-request-id", "openai-processing-ms", "openai-version", "openai-model")
limits = [
    f"x-ratelimit-{a}-{b}" for a in ("limit", "remaining", "reset") for b in ("requests", "tokens")
]
found["missing_headers"] = [name for name in (*wanted, *limits) if name not in raw.headers]
found["request_id"] = raw.parse()._request_id

stream = client.chat.completions.create(
    model="gpt-4",
    messages=USER,
    stream=True,
    max_tokens=12,
    temperature=0,
    stream_options={"include_usage": True},
)
chunks = list(stream)
found["stream"] = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
found["stream_ids"] = len({(c.id, c.created, c.model) for c in chunks})
found["stream_usage"] = chunks[-1].usage.completion_tokens
again = client.chat.completions.create(model="gpt-4", messages=USER, max_tokens=12, temperature=0)
found["stream_is_whole"] = again.choices[0].message.content == found["stream"]

several = client.chat.completions.create(
    model="gpt-4", messages=USER, n=3, max_tokens=8, logprobs=True, top_logprobs=2
)
found["n"] = [choice.index for choice in several.choices]
found["logprobs"] = [len(choice.logprobs.content) > 0 for choice in several.choices]

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_current_weather",
            "description": "Get the current weather of a city",
            "parameters": {
                "type": "object",
                "properties": {
                    "location": {"type": "string", "description": "name of the city"},
                    "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                },
                "required": ["location"],
                "additionalProperties": False,
            },
        },
    }
]
QUESTION = [{"role": "user", "content": "What is the weather in Paris?"}]
called = client.chat.completions.create(
    model="gpt-4", messages=QUESTION, tools=TOOLS, tool_choice="required"
)
call = called.choices[0].message.tool_calls[0]
found["call"] = [call.id[:5], call.function.name, json.loads(call.function.arguments)]
found["call_finish"] = called.choices[0].finish_reason

answered = client.chat.completions.create(
    model="gpt-4",
    messages=[
        *QUESTION,
        called.choices[0].message,
        {"role": "tool", "tool_call_id": call.id, "content": '{"temperature": 21, "sky": "clear"}'},
    ],
    tools=TOOLS,
    max_tokens=40,
)
found["after_tool"] = answered.choices[0].message.content

with client.chat.completions.stream(
    model="gpt-4", messages=QUESTION, tools=TOOLS, tool_choice="required"
) as events:
    final = events.get_final_completion()
streamed = final.choices[0].message.tool_calls[0].function
found["streamed_call"] = [streamed.name, json.loads(streamed.arguments)]
none = client.chat.completions.create(
    model="gpt-4", messages=QUESTION, tools=TOOLS, tool_choice="none", max_tokens=10
)
found["no_call"] = none.choices[0].message.tool_calls


class City(BaseModel):
    name: str
    country: str
    population: int


parsed = client.chat.completions.parse(
    model="gpt-4",
    messages=[{"role": "user", "content": "Tell me about Paris."}],
    response_format=City,
)
found["parsed"] = parsed.choices[0].message.parsed.model_dump()
loose = client.chat.completions.create(
    model="gpt-4",
    messages=[{"role": "user", "content": "A JSON object with a name and an age."}],
    response_format={"type": "json_object"},
    max_tokens=200,
)
found["json_object"] = [loose.choices[0].finish_reason, loose.choices[0].message.content]

completion = client.completions.create(
    model="gpt-3.5-turbo-instruct", prompt="Once upon a time", max_tokens=8, logprobs=1
)
found["completion"] = completion.choices[0].text
found["completion_logprobs"] = len(completion.choices[0].logprobs.tokens)

vectors = client.embeddings.create(
    model="text-embedding-3-small", input=["a cat", "a kitten", "the stock market"], dimensions=128
)
found["dimensions"] = [len(one.embedding) for one in vectors.data]


def cosine(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True))


a, b, c = (one.embedding for one in vectors.data)
found["near_is_nearer"] = cosine(a, b) > cosine(a, c)
found["unit_length"] = abs(cosine(a, a) - 1) < 1e-3
floats = client.embeddings.create(
    model="text-embedding-3-small", input="a cat", encoding_format="float"
)
found["floats"] = len(floats.data[0].embedding)

found["models"] = [one.id for one in client.models.list()]
found["retrieved"] = client.models.retrieve("gpt-4").id
verdict = client.moderations.create(input="I will kill you tomorrow.")
found["moderation"] = [verdict.id[:5], isinstance(verdict.results[0].flagged, bool)]

line = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}
stored = client.files.create(
    file=("训练.jsonl", json.dumps(line).encode() + b"\n"), purpose="fine-tune"
)
found["file"] = [stored.filename, stored.status, client.files.content(stored.id).text]
found["file_listed"] = stored.id in [one.id for one in client.files.list()]
found["file_deleted"] = client.files.delete(stored.id).deleted


async def asynchronously():
    async with AsyncOpenAI(max_retries=0) as asking:
        many = await asyncio.gather(
            *(
                asking.chat.completions.create(model="gpt-4", messages=USER, max_tokens=5)
                for _ in range(4)
            )
        )
        pieces = []
        async for chunk in await asking.chat.completions.create(
            model="gpt-4", messages=USER, max_tokens=5, stream=True
        ):
            pieces.append(chunk.choices[0].delta.content or "")
        return [one.choices[0].message.content for one in many], "".join(pieces)


found["async"] = asyncio.run(asynchronously())


def error_of(call, **arguments):
    try:
        call(**arguments)
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code, error.param, error.request_id]
    return None


chat = client.chat.completions.create
found["errors"] = {
    "wrong_key": error_of(
        OpenAI(api_key="sk-wrong", max_retries=0).chat.completions.create,
        model="gpt-4",
        messages=USER,
    ),
    "no_model": error_of(chat, model="gpt-99", messages=USER),
    "bad_temperature": error_of(chat, model="gpt-4", messages=USER, temperature=9),
    "bad_role": error_of(chat, model="gpt-4", messages=[{"role": "wizard", "content": "hi"}]),
    "too_long": error_of(
        chat, model="gpt-4", messages=[{"role": "user", "content": "word " * 20_000}]
    ),
    "bad_line": error_of(
        client.files.create, file=("x.jsonl", b'{"messages": []}\nnot json\n'), purpose="fine-tune"
    ),
    "image": error_of(client.images.generate, prompt="a cat", model="dall-e-2"),
    "no_path": error_of(client.get, path="/nothing", cast_to=object),
}
json.dump(found, sys.stdout, ensure_ascii=False)
