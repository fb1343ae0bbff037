"""The image: what the Dockerfile says, and what comes out when its steps are carried out.

The steps install from an index and take a minute of CPU; they are carried out with `--long`.
"""

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.dockerfile import Image, Instruction, read, rules, sent
from tests.journeys.running import PATIENCE, Address, bearer, free_port, until

PROJECT = Path(__file__).parents[2]
DOCKERFILE = PROJECT / "Dockerfile"
READ_ONLY = ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)


def named(keyword: str) -> list[Instruction]:
    return [one for one in read(DOCKERFILE) if one.keyword == keyword]


def test_every_stage_is_a_slim_python_of_the_version_that_the_lock_was_made_on() -> None:
    lock = (PROJECT / "requirements" / "runtime.txt").read_text()
    locked = re.search(r"with Python (\d+\.\d+)", lock)
    assert locked
    assert [one.text for one in named("ARG")] == [f"PYTHON={locked[1]}"]
    assert [one.words[0] for one in named("FROM")] == ["python:${PYTHON}-slim"] * 2


def test_nothing_unpinned_is_installed_and_no_index_is_named() -> None:
    text = DOCKERFILE.read_text()
    assert not re.search(r"index-url|trusted-host|apt-get|curl|wget|https?://", text)
    assert not named("ADD")
    installs = re.findall(r"pip install ([^&]*)", " ".join(one.text for one in named("RUN")))
    assert len(installs) == 2
    for options in installs:
        assert "--require-hashes" in options or "--no-index" in options


SECRETS = (
    *(".env", ".env.production", "prod.env", "server.pem", "server.key", "server.crt", "ca.cer"),
    *("ca.der", "client.p12", "client.pfx", "store.jks", "id_rsa", "id_ed25519", "id_ecdsa.pub"),
)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "folder", ["", "plugin/", "plugin/api/v1/", ".well-known/", "requirements/", "infra/a/b/"]
)
def test_settings_keys_and_certificates_stay_outside_at_any_depth(folder: str, secret: str) -> None:
    assert not sent(folder + secret, rules(PROJECT / ".dockerignore"))


def test_no_file_of_the_package_is_taken_for_a_secret() -> None:
    ignore = rules(PROJECT / ".dockerignore")
    package = [path for path in (PROJECT / "plugin").rglob("*") if path.is_file()]
    for path in package:
        name = path.relative_to(PROJECT).as_posix()
        assert sent(name, ignore) or "__pycache__" in name, name


def test_it_runs_as_an_ordinary_user_who_owns_the_data() -> None:
    [user] = named("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user.text)
    assert [one.text for one in named("VOLUME")] == ["/data"]
    owner, group = user.text.split(":")
    assert any(
        f"--owner={owner} --group={group} --mode=0700 /data" in run.text for run in named("RUN")
    )


def test_the_signal_to_stop_reaches_the_service() -> None:
    [entrypoint] = named("ENTRYPOINT")
    assert entrypoint.text.startswith("["), "a shell would keep the signal to itself"
    assert entrypoint.words == ["plugin", "serve", "--host", "0.0.0.0"]  # noqa: S104 - in a container
    assert [one.text for one in named("STOPSIGNAL")] == ["SIGTERM"]


@pytest.mark.parametrize(
    "path",
    [
        *(".env", "infra/.env", ".git/config", "tests/infra/test_image.py", "requirements/dev.txt"),
        *("data/first-key", "data/plugin.db", "plugin/__pycache__/app.cpython-311.pyc"),
    ],
)
def test_what_is_private_or_left_over_is_not_sent_to_the_builder(path: str) -> None:
    ignore = rules(PROJECT / ".dockerignore")
    assert not sent(path, ignore)
    assert sent("plugin/app.py", ignore)


def test_every_file_that_a_step_copies_is_sent_to_the_builder() -> None:
    ignore = rules(PROJECT / ".dockerignore")
    copied = [one.words[:-1] for one in named("COPY") if not one.text.startswith("--from=")]
    assert copied
    for source in (word for words in copied for word in words):
        assert (PROJECT / source).exists(), source
        assert sent(source, ignore), source


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """What the Dockerfile makes. Nothing but /data can be written to from here on."""
    made = Image(tmp_path_factory.mktemp("image"), PROJECT)
    made.build(DOCKERFILE)
    data = made.root / "data"
    for path in (made.root, *made.root.rglob("*")):
        if path != data and not path.is_symlink():
            path.chmod(stat.S_IMODE(path.stat().st_mode) & READ_ONLY)
    return made


def in_image(image: Image, *command: str, **settings: str) -> "subprocess.Popen[str]":
    program = shutil.which(command[0], path=image.environment()["PATH"])
    assert program
    return subprocess.Popen(  # noqa: S603 - what the image holds
        [*bound_by_modes(), program, *command[1:]],
        cwd=image.below(image.workdir),
        env=image.environment() | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def bound_by_modes() -> list[str]:
    """What takes from root the right to pass over file modes."""
    setpriv = shutil.which("setpriv") if os.geteuid() == 0 else None
    return [setpriv, "--bounding-set=-dac_override,-dac_read_search"] if setpriv else []


def output(image: Image, *command: str) -> str:
    out, err = in_image(image, *command).communicate(timeout=PATIENCE)
    assert not err, err
    return out


def is_healthy(image: Image, port: int) -> bool:
    check = in_image(image, *image.health, PLUGIN_PORT=str(port))
    check.communicate(timeout=PATIENCE)
    return check.returncode == 0


@pytest.fixture(scope="module")
def container(image: Image) -> Iterator[Address]:
    """The entry point of the image, running until it is told to stop."""
    port = free_port()
    process = in_image(image, *image.entrypoint, PLUGIN_PORT=str(port), PLUGIN_LOG_LEVEL="warning")
    try:
        until(lambda: process.poll() is not None or is_healthy(image, port))
        yield Address(port)
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err) == (0, "", "")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.long
def test_the_image_holds_the_package_and_nothing_that_only_built_it(image: Image) -> None:
    assert output(image, "python", "-c", "import plugin; print(plugin.__file__)").startswith(
        str(image.root)
    )
    [packages] = image.root.glob("opt/plugin/lib/python3*/site-packages")
    names = {path.name for path in packages.iterdir()}
    assert {"plugin", "fastapi", "uvicorn"} <= names
    assert not {"pip", "setuptools", "hatchling", "pytest", "mypy"} & names
    assert {path.name for path in image.root.iterdir()} == {"opt", "data", "srv"}


@pytest.mark.long
def test_the_command_is_on_the_path(image: Image) -> None:
    assert "serve" in output(image, "plugin", "--help")


@pytest.mark.long
def test_the_container_serves_what_the_package_carries(container: Address) -> None:
    manifest = container.call("GET", "/.well-known/ai-plugin.json")
    assert (manifest.status, manifest.json()["schema_version"]) == (200, "v1")
    assert container.call("GET", "/.well-known/logo.png").body.startswith(b"\x89PNG")
    assert "/todos" in container.call("GET", "/openapi.json").json()["paths"]
    for page in ("/docs", "/docs/docs.css", "/docs/docs.js"):
        assert container.call("GET", page).status == 200


@pytest.mark.long
def test_a_key_made_in_the_container_opens_the_gate(image: Image, container: Address) -> None:
    key = json.loads(output(image, "plugin", "keys", "create", "--name", "image", "--json"))
    headers = bearer(key) | {"Content-Type": "application/json"}
    added = container.call("POST", "/todos", headers, '{"text": "Buy milk"}')
    assert (added.status, added.json()["text"]) == (201, "Buy milk")


@pytest.mark.long
@pytest.mark.usefixtures("container")
def test_the_state_lies_in_the_volume(image: Image) -> None:
    assert "plugin.db" in {path.name for path in (image.root / "data").iterdir()}
    assert not list(Path(image.below(image.workdir)).iterdir())


@pytest.mark.long
def test_a_service_that_does_not_answer_is_unhealthy(image: Image) -> None:
    assert not is_healthy(image, free_port())
