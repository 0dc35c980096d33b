"""compose.yaml: closed to the outside, without passwords, and in agreement with the rest."""

from __future__ import annotations

import json
import os
import re
import subprocess
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from clickstream_contract.topics import LEDGER, TOPICS
from clickstream_local import kafka, postgres

from compose import ROOT, composition, mounts

if TYPE_CHECKING:
    from pathlib import Path

_FILE = composition()
_SERVICES: dict[str, dict[str, Any]] = _FILE["services"]
_OURS = {name: row for name, row in _SERVICES.items() if "build" in row}
_COMPOSE = ROOT / "compose"


def _environment(service: dict[str, Any]) -> dict[str, str]:
    return dict(service.get("environment", {}))


@pytest.mark.parametrize("name", _SERVICES)
def test_ports_are_on_loopback(name: str) -> None:
    """No other machine of the network reaches a service."""
    ports = _SERVICES[name].get("ports", [])

    assert [port for port in ports if not re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)] == []


@pytest.mark.parametrize("name", _SERVICES)
def test_passwords_are_in_files(name: str) -> None:
    """A variable names a password's file, never a password."""
    named = [key for key in _environment(_SERVICES[name]) if "PASSWORD" in key]

    assert [key for key in named if not key.endswith("_FILE")] == []


@pytest.mark.parametrize("name", _SERVICES)
def test_images_have_versions(name: str) -> None:
    """Each image has a tag with digits."""
    tag = _SERVICES[name]["image"].rsplit("/", 1)[1].partition(":")[2]

    assert re.fullmatch(r"v?\d+(\.\d+)+", tag)


@pytest.mark.parametrize("name", _SERVICES)
def test_mounts_exist(name: str) -> None:
    """Each file is in the repository, each volume is declared."""
    for source in mounts(_SERVICES[name]).values():
        assert (ROOT / source).exists() if "/" in source else source in _FILE["volumes"], source


@pytest.mark.parametrize("name", _SERVICES)
def test_needed_services_exist(name: str) -> None:
    """A service waits for services that there are; one that ends is waited for until its end."""
    for needed, how in _SERVICES[name].get("depends_on", {}).items():
        is_healthy = how["condition"] == "service_healthy"
        assert is_healthy == ("healthcheck" in _SERVICES[needed])
        assert is_healthy or needed in {"prepare", "topics", "migrations"}


def test_volumes_are_used() -> None:
    """Each declared volume is mounted somewhere."""
    used = {source for row in _SERVICES.values() for source in mounts(row).values()}

    assert set(_FILE["volumes"]) <= used


@pytest.mark.parametrize("name", _SERVICES)
def test_logins_are_kept_apart(name: str) -> None:
    """A service reads the logins that it mounts, and mounts only those that it reads."""
    service = _SERVICES[name]
    if name in {"prepare", "grafana"}:
        return
    mounted = {place for place in mounts(service) if place.startswith("/run/logins")}
    read = {value.rsplit("/", 1)[0] for value in _environment(service).values()
            if str(value).startswith("/run/logins")}  # fmt: skip

    assert mounted == read


@pytest.mark.parametrize("name", _OURS)
def test_settings_are_known(name: str) -> None:
    """Each variable with the project's prefix is a setting of the process in the image."""
    service = _OURS[name]
    process = service["build"]["dockerfile"].split("/")[1]
    settings = import_module(f"clickstream_{process}.settings")

    for key in _environment(service):
        assert key.startswith(settings.PREFIX)
        assert key.removeprefix(settings.PREFIX).lower() in settings._READERS


@pytest.mark.parametrize("name", _OURS)
def test_our_containers_are_restricted(name: str) -> None:
    """No root, no capability, no writable root, no way to more rights."""
    service = _OURS[name]

    assert service["read_only"] is True
    assert service["user"] == "65532:65532"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_passwords_are_drawn_once(tmp_path: Path) -> None:
    """Each login gets another password, which a second start keeps; the stream gets its folder."""
    names = ("owner", "writer", "reader", "verifier", "student", "grafana")
    files = [tmp_path / "logins" / name / "password" for name in names]
    for file in files:
        file.parent.mkdir(parents=True)
    command = [
        "bash",
        str(_COMPOSE / "prepare.sh"),
        str(tmp_path / "logins"),
        str(tmp_path / "state"),
    ]
    drawn = []
    for _ in range(2):
        environment = {**os.environ, "CHECKPOINT_OWNER": f"{os.getuid()}:{os.getgid()}"}
        subprocess.run(command, check=True, env=environment)
        drawn.append([file.read_text("utf-8") for file in files])

    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == len(names)
    assert all(re.fullmatch(r"[\w-]{32}", password) for password in drawn[0])
    assert (tmp_path / "state" / "checkpoints").stat().st_mode & 0o777 == 0o700


def test_topics_are_the_contracts() -> None:
    """Names, partitions and settings of compose/topics.sh are the contract's."""
    text = (_COMPOSE / "topics.sh").read_text("utf-8").replace("\\\n", " ")
    lines = [line.split()[1:] for line in re.findall(r"^topic .+$", text, re.MULTILINE)]
    wanted = [
        [
            topic.name,
            str(topic.partitions),
            *(f"{name}={value}" for name, value in topic.settings.items()),
            *(["retention.bytes=-1"] if topic == LEDGER else []),
        ]
        for topic in TOPICS
    ]

    assert lines == wanted


def test_postgres_settings_match_laptop() -> None:
    """Each setting has the value that the laptop's PostgreSQL has."""
    words = _SERVICES["postgres"]["command"]
    given = dict(word.split("=", 1) for word in words[2::2])
    elsewhere = {
        "listen_addresses",
        "unix_socket_directories",
        "password_encryption",
        "log_timezone",
    }

    assert given == {k: v for k, v in postgres._SETTINGS.items() if k not in elsewhere}


def test_kafka_settings_match_laptop() -> None:
    """But for its addresses, each setting has the value that the laptop's Kafka has."""
    laptop = dict(line.split("=", 1) for line in kafka._properties(1, 2).splitlines())
    given = {
        key.removeprefix("KAFKA_").lower().replace("_", "."): value
        for key, value in _environment(_SERVICES["kafka"]).items()
    }
    addresses = {name for name in given if "listener" in name or "voters" in name}

    compared = set(given) - addresses - {"log.dirs", "log.retention.bytes", "heap.opts"}
    assert {name: given[name] for name in compared} == {name: laptop[name] for name in compared}
    assert {"message.max.bytes", "auto.create.topics.enable"} <= compared
    assert int(given["log.retention.bytes"]) < 2**30, "a partition has a bound"


def test_prometheus_asks_our_services() -> None:
    """Each target is a service of the project, at the default port of its settings."""
    read = yaml.safe_load((_COMPOSE / "prometheus.yaml").read_text("utf-8"))
    targets = [row["static_configs"][0]["targets"][0] for row in read["scrape_configs"]]

    assert sorted(targets) == sorted(
        f"{name}:{import_module(f'clickstream_{name}.settings').Settings.metrics_port}"
        for name in ("console", "generator", "streaming")
    )


def test_grafana_has_every_data_source() -> None:
    """Each kind of source that a dashboard asks is provisioned."""
    sources = yaml.safe_load((_COMPOSE / "grafana" / "datasources.yaml").read_text("utf-8"))
    texts = [
        file.read_text("utf-8") for file in (ROOT / "helm/clickstream/dashboards").glob("*.json")
    ]
    asked = {
        panel["datasource"]["type"]
        for text in texts
        for panel in json.loads(text)["panels"]
        if panel.get("datasource")
    }

    assert len(texts) == 4
    assert asked <= {row["type"] for row in sources["datasources"]}
    (provider,) = yaml.safe_load((_COMPOSE / "grafana" / "dashboards.yaml").read_text("utf-8"))[
        "providers"
    ]
    assert provider["options"]["path"] in mounts(_SERVICES["grafana"])
