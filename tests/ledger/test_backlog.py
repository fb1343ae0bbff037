from pathlib import Path

from plugin.ledger.backlog import backlog
from plugin.ledger.journal import Journal
from plugin.ledger.writer import LedgerWriter
from plugin.storage import migrate
from tests.ledger.world import NOW, call, outcome


def test_what_the_ledger_lacks_is_counted_until_it_has_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'plugin.db'}"
    migrate.prepare(tmp_path, url)
    directory = tmp_path / "journal"
    assert backlog(directory, url) == 0
    with Journal(directory, lambda: NOW) as journal, LedgerWriter(directory, url, lambda: NOW) as w:
        journal.settled(journal.opened(call()), call(), outcome())
        written = sum(path.stat().st_size for path in directory.glob("*.log"))
        assert backlog(directory, url) == written > 100
        w.drain()
        assert backlog(directory, url) == 0
