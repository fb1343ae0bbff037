"""What users of langchain-openai do; prints what came as JSON."""

import json
import sys

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

found = {}
model = ChatOpenAI(model="gpt-3.5-turbo", temperature=0, max_tokens=20, max_retries=0)
found["invoke"] = model.invoke("Hello, world!").content
found["stream"] = "".join(piece.content for piece in model.stream("Hello, world!"))
found["usage"] = model.invoke("Hi").usage_metadata["input_tokens"] > 0


@tool
def get_current_weather(location: str) -> str:
    """Get the current weather of a city."""
    return location


bound = model.bind_tools([get_current_weather], tool_choice="required")
found["calls"] = bound.invoke("What is the weather in Paris?").tool_calls


class City(BaseModel):
    """A city."""

    name: str
    country: str


found["structured"] = model.with_structured_output(City).invoke("Tell me about Rome.").model_dump()
vectors = OpenAIEmbeddings(model="text-embedding-ada-002", check_embedding_ctx_length=False)
found["dimensions"] = len(vectors.embed_query("a cat"))
json.dump(found, sys.stdout, ensure_ascii=False)
