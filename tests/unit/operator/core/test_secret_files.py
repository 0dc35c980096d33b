"""Secrets as files of a worker."""

from __future__ import annotations

from clickstream_operator.core.secret_files import SecretFiles, files_text

_USER = SecretFiles("kafka-user", "default-user", ("username", "password"))


def test_secrets_become_optional_volumes() -> None:
    """A secret is a read-only mount of what a worker reads; a missing one blocks no pod."""
    assert _USER.as_mount() == {
        "name": "kafka-user",
        "mountPath": "/etc/kafka-user",
        "readOnly": True,
    }
    assert _USER.as_volume() == {
        "name": "kafka-user",
        "secret": {
            "secretName": "default-user",
            "optional": True,
            "items": [
                {"key": "username", "path": "username"},
                {"key": "password", "path": "password"},
            ],
        },
    }


def test_files_are_named_for_errors() -> None:
    """An error of a worker names a path; this text names the secrets behind the paths."""
    authority = SecretFiles("registry-ca", "my-ca", ("ca.crt",))

    assert files_text([_USER, authority]) == (
        "/etc/kafka-user is the secret default-user, /etc/registry-ca is the secret my-ca"
    )
    assert files_text([]) == ""
