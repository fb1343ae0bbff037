import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

FILES = {"/docs": "text/html", "/docs/docs.css": "text/css", "/docs/docs.js": "text/javascript"}
CONSOLE = Path(__file__).parents[2] / "plugin" / "console"


@pytest.mark.parametrize("path", FILES)
def test_the_page_and_its_files_are_served_under_a_strict_policy(
    doors: TestClient, path: str
) -> None:
    reply = doors.get(path)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith(FILES[path])
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert reply.headers["referrer-policy"] == "no-referrer"


def test_the_page_loads_nothing_from_elsewhere_and_holds_no_script() -> None:
    page = (CONSOLE / "docs.html").read_text()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses
    assert not [address for address in addresses if "//" in address or address.startswith("/")]
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert "style=" not in page
    for name in ("docs.css", "docs.js"):
        assert "http://" not in (CONSOLE / name).read_text()
        assert "https://" not in (CONSOLE / name).read_text()


def test_everything_the_page_refers_to_is_there(doors: TestClient) -> None:
    page = (CONSOLE / "docs.html").read_text()
    for address in re.findall(r'(?:src|href)="([^"#]+)"', page):
        assert doors.get(f"/{address}").status_code == 200, address


def test_the_key_is_not_stored_and_no_text_becomes_markup() -> None:
    script = (CONSOLE / "docs.js").read_text()
    for word in (
        "localStorage",
        "sessionStorage",
        "document.cookie",
        "innerHTML",
        "insertAdjacent",
    ):
        assert word not in script
