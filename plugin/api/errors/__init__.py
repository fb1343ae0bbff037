"""Error responses: problem details, OpenAI's envelope, and the words for wrong arguments."""
