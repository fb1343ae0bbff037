"""Commands that call the GPT API of this service or of another: `plugin api`, `plugin chat`."""
