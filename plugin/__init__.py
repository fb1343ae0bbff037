"""gpt-plugin: declare an operation once; every door offers it, one gate guards it.

The rooms, from the top floor down; an import only goes down, and rooms of one floor do not know
each other (`.importlinter` holds it):

    __main__        `python -m plugin`
    pytest_plugin   recorded calls as tests of the user's own project
    cli             the `plugin` command: one module a command group
    app             settings in, ASGI application out; the order of the layers
    api             the HTTP doors: the gateway, the documents, the errors
    harness         reads, judges and replays the calls that models issue; knows contracts alone
    services        every long-lived object: built once, closed in reverse
    gpt             what the GPT API does beyond asking an engine once: files, moderation
    engines         who answers for a model name: the embedded engine, any OpenAI-compatible address
    gate            what every call passes, and what is kept of it
    operations      what this plugin does: a module a family, each an ordinary FastAPI router
    auth            who is calling: API keys, and tokens of trusted issuers
    contract        what a plugin promises, ours or another's: documents, schemas, tools, requests
    outbound        how we call others: the guarded HTTP client
    storage         where state lives: the database and its migrations
    settings        the environment, typed
    pools           what is scarce in a worker and bounded for each caller
    messages        the vocabulary that crosses rooms
    errors          what can go wrong: status, code, what to do next
    console         the pages that browsers get: plain HTML, CSS and ES modules
"""
