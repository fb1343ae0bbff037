"""What `plugin up` prints: where everything is, and the lines to paste."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugin.settings import Settings

_ENGINE_SECONDS = 5.0
"""How long the banner waits for the engine; it takes less than one."""


def banner(settings: "Settings", key: str | None, document: bytes) -> str:
    """The lines; `key` is the first one if it was just made, `document` is openapi.json."""
    from shlex import quote

    from plugin.auth.first_key import FILE

    base, file = settings.base_url, (settings.data_dir / FILE).absolute()
    sent, kept = f"$(cat {quote(str(file))})", f"in {file} (only you can read it)"
    if key is None and not _opens(settings, file):
        sent, kept = "$KEY", "not at hand; `plugin keys create --name NAME` makes one"
    curl = f'curl -H "Authorization: Bearer {sent}" {quote(base + _example(document))}'
    return "\n".join(
        (
            "gpt-plugin is up; Ctrl-C stops it.",
            f"  manifest  {base}/.well-known/ai-plugin.json",
            f"  openapi   {base}/openapi.json",
            f"  docs      {base}/docs",
            f"  key       {key or kept}",
            *((f"            kept {kept}",) if key else ()),
            f"  try       {curl}",
            f"  engine    {_engine(settings)}",
            f'  GPT API   export OPENAI_API_KEY="{sent}"',
            f"            export OPENAI_BASE_URL={base}/v1",
            f"            export OPENAI_API_BASE={base}/v1  # openai 0.28",
        )
    )


def _engine(settings: "Settings") -> str:
    from plugin.engines.llama.process.models import TEXT, VECTORS
    from plugin.engines.llama.process.state import FILE
    from plugin.server.engine import settled

    if settings.engine == "none":
        return "none on this machine (PLUGIN_ENGINE=none)"
    state = settled(settings.data_dir / FILE, _ENGINE_SECONDS)
    if state.state != "ready":
        return state.detail
    return (
        f"{TEXT.name}, {VECTORS.name}: both English; "
        "for Chinese and for quality set PLUGIN_UPSTREAMS first"
    )


def _opens(settings: "Settings", file: Path) -> bool:
    """Whether the kept key is there and still opens the gate."""
    import time

    from plugin.auth.keys import KeyStore, hash_key
    from plugin.storage.database import open_blocking

    try:
        kept = hash_key(file.read_bytes().strip())
    except OSError:
        return False
    engine = open_blocking(settings.database)
    try:
        records = KeyStore(engine, time.time).list()
    finally:
        engine.dispose()
    return any(record.hash == kept and record.state(time.time()) == "active" for record in records)


def _example(document: bytes) -> str:
    """The path of an operation that can be called without knowing anything; else the document's."""
    import json

    for path, item in json.loads(document)["paths"].items():
        asked = item.get("get", {}).get("parameters", ())
        if "get" in item and not any(parameter.get("required") for parameter in asked):
            return str(path)
    return "/openapi.json"
