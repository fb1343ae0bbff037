"""What operators do to a running service stands in its ledger."""

import json
from pathlib import Path

from tests.journeys.running import plugin, running


def test_the_first_key_a_reload_and_a_restart(tmp_path: Path) -> None:
    with running(tmp_path, "up"):
        assert plugin(tmp_path, "reload").returncode == 0
        (tmp_path / ".env").write_text("PLUGIN_BODY_LIMIT=lots\n")
        assert plugin(tmp_path, "reload").returncode == 1
        (tmp_path / ".env").unlink()
        assert plugin(tmp_path, "restart").returncode == 0
        shown = plugin(tmp_path, "ledger", "acts", "--json")
    first, *others = json.loads(shown.stdout)
    assert (first["act"], first["detail"]) == (
        "key created",
        {"name": "first key", "scopes": ["*"]},
    )
    assert [(act["act"], act["subject"], act["detail"]["refused"]) for act in others] == [
        ("settings reloaded", "service", False),
        ("settings reloaded", "service", True),
        ("workers restarted", "service", False),
    ]
    key = (tmp_path / "data" / "first-key").read_text().strip()
    assert key not in shown.stdout
