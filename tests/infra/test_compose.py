"""The compose file and the Caddyfile: what each service may do, and that the two files agree."""

import ipaddress
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugin.api.v1.files import FORM_ALLOWANCE
from plugin.app import limits_of_uploads
from plugin.settings import PREFIX, Settings

INFRA = Path(__file__).parents[2] / "infra"
COMPOSE: dict[str, Any] = yaml.safe_load((INFRA / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CADDYFILE = (INFRA / "Caddyfile").read_text()

every_service = pytest.mark.parametrize("name", sorted(SERVICES))


@every_service
def test_a_container_may_do_what_it_needs_and_no_more(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & service.keys()
    allowed = ["NET_BIND_SERVICE"] if name == "proxy" else []
    assert service.get("cap_add", []) == allowed
    for mount in service["tmpfs"]:
        assert {"noexec", "nosuid", "nodev"} <= set(mount.partition(":")[2].split(","))


@every_service
def test_a_container_has_limits_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert {"mem_limit", "cpus", "pids_limit"} <= service.keys()
    assert {"max-size", "max-file"} <= service["logging"]["options"].keys()
    assert "stop_grace_period" in service


def test_the_service_is_given_the_time_that_it_gives() -> None:
    fields = Settings.model_fields
    drains = fields["drain_seconds"].default + fields["drain_delay"].default
    given = int(SERVICES["service"]["stop_grace_period"].removesuffix("s"))
    assert given >= drains + 15


@every_service
def test_what_is_kept_lies_in_named_volumes_and_the_rest_is_read_only(name: str) -> None:
    kept = [mount.split(":") for mount in SERVICES[name]["volumes"]]
    assert any(mount[0] in COMPOSE["volumes"] for mount in kept)
    for source, *_, option in kept:
        assert source in COMPOSE["volumes"] or option == "ro"


def test_every_name_that_is_used_is_declared() -> None:
    for service in SERVICES.values():
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
        assert set(service.get("depends_on", {})) <= SERVICES.keys()


def test_only_the_proxy_can_be_reached_from_outside() -> None:
    assert "ports" not in SERVICES["service"]
    assert {str(port).removesuffix("/udp") for port in SERVICES["proxy"]["ports"]} == {
        "80:80",
        "443:443",
    }
    shared = set(SERVICES["service"]["networks"]) & set(SERVICES["proxy"]["networks"])
    assert shared == {"behind"}
    assert COMPOSE["networks"]["behind"]["internal"] is True


def test_forwarded_headers_are_trusted_from_the_proxy_alone() -> None:
    proxy = SERVICES["proxy"]["networks"]["behind"]["ipv4_address"]
    service = SERVICES["service"]["networks"]["behind"]["ipv4_address"]
    [config] = COMPOSE["networks"]["behind"]["ipam"]["config"]
    assert SERVICES["service"]["environment"]["PLUGIN_TRUSTED_PROXIES"] == proxy
    network = ipaddress.ip_network(config["subnet"])
    hosts = list(map(str, network.hosts()))
    assert {proxy, service, config["gateway"]} <= set(hosts)
    assert len({proxy, service, config["gateway"]}) == 3
    # Caddy drops what clients send of these, unless it is told to trust somebody
    assert "trusted_proxies" not in CADDYFILE
    for header in ("Forwarded", "X-Real-IP", "X-Forwarded-Port", "X-Forwarded-Prefix"):
        assert f"header_up -{header}\n" in CADDYFILE


def test_the_proxy_waits_for_a_healthy_service_and_says_whether_it_lives() -> None:
    assert SERVICES["proxy"]["depends_on"]["service"] == {"condition": "service_healthy"}
    test = SERVICES["proxy"]["healthcheck"]["test"]
    assert test[0] == "CMD"
    port = re.search(r"http://127\.0\.0\.1:\{\$HEALTH_PORT:(\d+)\}", CADDYFILE)
    assert port
    assert test[-1] == f"http://127.0.0.1:{port[1]}/"
    # the service's own check is in the Dockerfile
    assert "HEALTHCHECK" in (INFRA.parent / "Dockerfile").read_text()


def test_settings_are_spelled_right() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    text = (INFRA / "compose.yaml").read_text() + (INFRA / "env.example").read_text()
    used = set(re.findall(r"\bPLUGIN_[A-Z_]+[A-Z]\b", text))
    assert used
    assert used <= known
    assert SERVICES["service"]["environment"]["PLUGIN_PUBLIC_URL"].startswith("https://${DOMAIN")


def test_the_domain_must_be_given() -> None:
    text = (INFRA / "compose.yaml").read_text()
    uses = re.findall(r"\$\{DOMAIN[^}]*\}", text)
    assert len(uses) == 2
    assert all(use.startswith("${DOMAIN:?") for use in uses)
    assert re.search(r"^DOMAIN=", (INFRA / "env.example").read_text(), re.MULTILINE)


def test_what_the_caddyfile_reads_is_told_to_it_or_has_a_default() -> None:
    read = dict(re.findall(r"\{\$([A-Z_]+):?([^}]*)\}", CADDYFILE))
    assert {"DOMAIN", "UPSTREAM", "BODY_LIMIT"} <= read.keys()
    assert all(read.values())
    assert set(SERVICES["proxy"]["environment"]) <= read.keys()
    for name in read:
        assert re.search(rf"^#.*\b{name}\b", CADDYFILE, re.MULTILINE), f"{name} is not explained"


@pytest.mark.parametrize("limit", ["body_limit", "file_limit"])
def test_a_limit_is_one_number(limit: str) -> None:
    number, name = str(Settings.model_fields[limit].default), limit.upper()
    assert set(re.findall(rf"\{{\${name}:(\d+)\}}", CADDYFILE)) == {number}
    for service, variable in (("service", f"{PREFIX}{name}"), ("proxy", name)):
        assert SERVICES[service]["environment"][variable] == f"${{{name}:-{number}}}"
    assert f"#{name}={number}\n" in (INFRA / "env.example").read_text()


def test_the_proxy_lets_through_the_uploads_that_the_service_takes() -> None:
    taken = limits_of_uploads(Settings(_env_file=None))
    listed = re.findall(r"path((?: /\S+)+)$", CADDYFILE, re.MULTILINE)
    assert [sorted(paths.split()) for paths in listed] == [sorted(taken)] * 4
    file_limit = Settings.model_fields["file_limit"]
    announced = re.findall(r"\{\$FILE_LIMIT:(\d+)\} \+ (\d+)`", CADDYFILE)
    assert announced == [(str(file_limit.default), str(FORM_ALLOWANCE))]
    assert max(taken.values()) <= file_limit.default + FORM_ALLOWANCE
    [most] = [bound.le for bound in file_limit.metadata if hasattr(bound, "le")]
    assert f"max_size {most + FORM_ALLOWANCE}\n" in CADDYFILE


def test_images_are_of_a_stated_version() -> None:
    assert re.fullmatch(r"caddy:\d+\.\d+-alpine", SERVICES["proxy"]["image"])
    assert SERVICES["service"]["build"]["context"] == ".."


def test_event_streams_are_not_held_back() -> None:
    assert "flush_interval -1" in CADDYFILE
    # compression would collect events, and a proxy must not answer from a store
    assert not re.search(r"^\s*(encode|cache)\b", CADDYFILE, re.MULTILINE)
