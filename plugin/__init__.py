"""gpt-plugin: declare an operation once; every door offers it, one gate guards it.

The rooms, from the top floor down; an import only goes down, and rooms of one floor do not know
each other (`.importlinter` holds it):

    __main__        `python -m plugin`
    pytest_plugin   recorded calls as tests of the user's own project
    cli             commands only: `gpt_api/` (client of the GPT API), `harness/`, operators'
    server          processes: supervisor, workers, signals, drain; `http/` (uvicorn's protocol)
    app             settings in, ASGI application out; the order of the layers
    api             the HTTP doors: the gateway, the documents, `errors/`, `v1/` (the GPT API)
    services        every long-lived object: built once, closed in reverse
    gpt             what the GPT API does beyond one engine call: files, moderation
    telemetry       metrics, traces, the access log, rejected calls
    engines         what answers for a model name: the embedded engine, an OpenAI-compatible address
    gate            what every call passes: admission, limits, queue, prices, `counters/`
    idempotency     one execution for equal keys
    ledger          the record of calls: journal, writer, reader, verification, archive, acts
    operations      what this plugin does: a module or a folder a family, ordinary FastAPI routers
    auth            who is calling: API keys, and tokens of trusted issuers
    transports      how the harness reaches a service under test, and how documents are fetched
    harness         reads, judges and replays the calls that models issue; knows contracts alone
    contract        what a plugin promises, ours or another's: documents, schemas, tools, requests
    outbound        how we call others: the guarded HTTP client
    storage         where state lives: database, migrations, identity, reserve, worker leases
    settings        the environment, typed
    pools           what is scarce in a worker and bounded for each caller
    messages        the vocabulary that crosses rooms
    errors          what can go wrong: status, code, what to do next
    trail           what happened to one request on its way, for the ledger and the traces
    masking         addresses as they may be shown: without passwords and keys
    exit_codes      exit codes of every command and process
    console         the pages that browsers get: plain HTML, CSS and ES modules
"""
