"""Settings of Kafka's Java client, which Spark uses.

Owns these settings (https://kafka.apache.org/documentation/#configuration), and the setting of the
stream to check when the broker refuses a connection. The client itself reads name and password from
their files: no setting, plan or log contains them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clickstream_contract.environment import SettingsInvalid

from clickstream_streaming.settings import PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_streaming.settings import Settings

__all__ = ["blamed_setting", "client_settings", "last_line"]

_REQUEST_MILLISECONDS = 15_000
_PROVIDER = "org.apache.kafka.common.config.provider.DirectoryConfigProvider"
_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
_BLAMED = {
    "SaslAuthenticationException": "USERNAME_FILE and _PASSWORD_FILE",
    "SslAuthenticationException": "CA_FILE",
    "SSLHandshakeException": "CA_FILE",
    "TopicAuthorizationException": "USERNAME_FILE: the user's ACLs",
}


def client_settings(settings: Settings) -> dict[str, str]:
    """Return the settings of every Kafka client of the stream.

    Raises:
        SettingsInvalid: The name or password of the user is missing, or is not a single line.
    """
    values = {
        "bootstrap.servers": settings.bootstrap_servers,
        "security.protocol": settings.security_protocol,
        # Limits the wait for a broker that has vanished; the default is 30 seconds.
        "request.timeout.ms": str(_REQUEST_MILLISECONDS),
    }
    if settings.ca_file is not None:
        values |= {
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(settings.ca_file),
        }
    if settings.security_protocol.startswith("SASL"):
        name = _named_in(settings.username_file, "USERNAME_FILE")
        password = _named_in(settings.password_file, "PASSWORD_FILE")
        module = _MODULES[settings.sasl_mechanism]
        values |= {
            "sasl.mechanism": settings.sasl_mechanism,
            "config.providers": "files",
            "config.providers.files.class": _PROVIDER,
            "sasl.jaas.config": f'{module} required username="{name}" password="{password}";',
        }
    return values


def blamed_setting(cause: str) -> str | None:
    """Return the setting that may have caused an error of Kafka's client, or ``None``."""
    return next((PREFIX + name for sign, name in _BLAMED.items() if sign in cause), None)


def last_line(text: str) -> str:
    """Return the last line of a trace that names an error, or the whole text."""
    found = re.findall(r"^[a-zA-Z_.]*(?:psycopg2|Error|Exception)[^\n]*$", text, re.MULTILINE)
    return found[-1] if found else text


def _named_in(file: Path | None, setting: str) -> str:
    """Return the reference that the client replaces by the content of a file."""
    if file is None:
        raise SettingsInvalid(PREFIX + setting, None, "set, since the protocol is one with SASL")
    # The client uses the whole content: a line break would be part of the name.
    if {'"', "\\", "\n", "\r"} & set(file.read_text(encoding="utf-8")):
        allowed = "a file without quotes, backslashes and line ends, the last one's included"
        raise SettingsInvalid(PREFIX + setting, str(file), allowed)
    return f"${{files:{file.parent}:{file.name}}}"
