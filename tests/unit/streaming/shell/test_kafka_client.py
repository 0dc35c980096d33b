"""Kafka's client gets its settings, and passwords stay in their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_contract.environment import SettingsInvalid
from clickstream_streaming.settings import PREFIX
from clickstream_streaming.shell.kafka_client import blamed_setting, client_settings, last_line
from stream_settings import stream_settings

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = {
    "bootstrap.servers": "kafka:9092",
    "security.protocol": "PLAINTEXT",
    "request.timeout.ms": "15000",
}


def _secured(folder: Path, *, name: str = "stream", **more: str) -> dict[str, str]:
    """Return the client's settings for a broker that asks for a user."""
    (folder / "name").write_text(name, encoding="utf-8")
    (folder / "word").write_text("secret", encoding="utf-8")
    files = {"USERNAME_FILE": str(folder / "name"), "PASSWORD_FILE": str(folder / "word")}
    settings = stream_settings(folder, **{"SECURITY_PROTOCOL": "SASL_SSL", **files, **more})
    return client_settings(settings)


def test_plain_client(tmp_path: Path) -> None:
    """Without security there are servers, protocol and a short time-out."""
    assert client_settings(stream_settings(tmp_path)) == PLAIN


def test_authority_is_a_trust_store(tmp_path: Path) -> None:
    """The certificates' file is the client's trust store."""
    file = tmp_path / "ca.pem"
    file.touch()
    settings = stream_settings(tmp_path, SECURITY_PROTOCOL="SSL", CA_FILE=str(file))

    assert client_settings(settings) == PLAIN | {
        "security.protocol": "SSL",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(file),
    }


@pytest.mark.parametrize(
    ("mechanism", "module"),
    [
        ("PLAIN", "plain.PlainLoginModule"),
        ("SCRAM-SHA-256", "scram.ScramLoginModule"),
        ("SCRAM-SHA-512", "scram.ScramLoginModule"),
    ],
)
def test_user_is_referenced(tmp_path: Path, mechanism: str, module: str) -> None:
    """The login module gets references to files, which the client itself reads."""
    found = _secured(tmp_path, SASL_MECHANISM=mechanism)

    assert found == PLAIN | {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": mechanism,
        "config.providers": "files",
        "config.providers.files.class": (
            "org.apache.kafka.common.config.provider.DirectoryConfigProvider"
        ),
        "sasl.jaas.config": (
            f"org.apache.kafka.common.security.{module} required"
            f' username="${{files:{tmp_path}:name}}" password="${{files:{tmp_path}:word}}";'
        ),
    }


def test_user_stays_in_files(tmp_path: Path) -> None:
    """Neither name nor password is among the settings."""
    text = str(_secured(tmp_path, name="unique-name"))

    assert "unique-name" not in text
    assert "secret" not in text


@pytest.mark.parametrize("missing", ["USERNAME_FILE", "PASSWORD_FILE"])
def test_sasl_needs_both_files(tmp_path: Path, missing: str) -> None:
    """A protocol with SASL and half a user is an error with the missing variable."""
    with pytest.raises(SettingsInvalid, match=f"{PREFIX}{missing} is not set"):
        _secured(tmp_path, **{missing: ""})


@pytest.mark.parametrize("name", ["a\n", "a\r", 'a"b', "a\\b"])
def test_odd_name_is_refused(tmp_path: Path, name: str) -> None:
    """A value that would break the login's line is an error with the file."""
    with pytest.raises(SettingsInvalid, match="without quotes, backslashes") as caught:
        _secured(tmp_path, name=name)
    assert caught.value.name == PREFIX + "USERNAME_FILE"
    assert caught.value.value == str(tmp_path / "name")


@pytest.mark.parametrize(
    ("cause", "setting"),
    [
        ("x.SaslAuthenticationException: no", "USERNAME_FILE and _PASSWORD_FILE"),
        ("x.SslAuthenticationException: no", "CA_FILE"),
        ("x.SSLHandshakeException: no", "CA_FILE"),
        ("x.TopicAuthorizationException: no", "USERNAME_FILE: the user's ACLs"),
    ],
)
def test_cause_blames_setting(cause: str, setting: str) -> None:
    """An error of the client points at the setting that can be wrong."""
    assert blamed_setting(cause) == PREFIX + setting


def test_other_cause_blames_nothing() -> None:
    """A broker that does not answer blames no setting."""
    assert blamed_setting("org.apache.kafka.common.errors.TimeoutException") is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("all is one line", "all is one line"),
        ("a.BError: x\n  at c\nd.EException: y\n  at f", "d.EException: y"),
        ("psycopg2.errors.Gone: z\nDETAIL: more", "psycopg2.errors.Gone: z"),
        ("first\nsecond", "first\nsecond"),
    ],
)
def test_last_line_says_most(text: str, line: str) -> None:
    """Of a trace the last line with an error's name is shown, else all of it."""
    assert last_line(text) == line
