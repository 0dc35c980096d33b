"""The registries that simulations may name."""

from __future__ import annotations

import pytest
from clickstream_contract.output import EventOutput
from clickstream_operator.core.registry import Registry, named_registry
from clickstream_operator.core.secret_files import SecretFiles
from pydantic import ValidationError

_PLAIN = {"name": "plain", "url": "http://registry.data"}
_SECURE = {
    "name": "main",
    "url": "https://registry.data:8443/apis/ccompat/v7",
    "caSecret": "registry-ca-cert",
    "credentialsSecret": "registry-login",
    "register": False,
}


def test_worker_gets_settings_and_files() -> None:
    """A pod gets the address, and the secrets as files; without secrets it gets none."""
    plain, secure = Registry.model_validate(_PLAIN), Registry.model_validate(_SECURE)

    assert (plain.environment(), plain.secrets()) == ({"REGISTRY": "http://registry.data"}, ())
    assert secure.environment() == {
        "REGISTRY": "https://registry.data:8443/apis/ccompat/v7",
        "REGISTRY_NO_REGISTER": "true",
        "REGISTRY_CA_FILE": "/etc/registry-ca/ca.crt",
        "REGISTRY_USERNAME_FILE": "/etc/registry-user/username",
        "REGISTRY_PASSWORD_FILE": "/etc/registry-user/password",
    }
    assert secure.secrets() == (
        SecretFiles("registry-ca", "registry-ca-cert", ("ca.crt",)),
        SecretFiles("registry-user", "registry-login", ("username", "password")),
    )


@pytest.mark.parametrize(
    ("url", "port"), [("http://r", 80), ("https://r/x", 443), ("http://r:8081", 8_081)]
)
def test_port_is_the_urls(url: str, port: int) -> None:
    """Without a port, it is that of the scheme."""
    assert Registry(name="r", url=url).port() == port


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"name": "Main"}, "name"),
        ({"url": "registry:8081"}, "url"),
        ({"url": "https://me:secret@registry"}, "url"),
        ({"url": "https://registry?x=1"}, "url"),
        ({"url": "https://registry/../x y"}, "url"),
        ({"url": "http://registry:99999"}, "url"),
        ({"caSecret": "A"}, "caSecret"),
        ({"register": "yes"}, "register"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_registry_is_refused(more: dict[str, str], place: str) -> None:
    """The field is named."""
    with pytest.raises(ValidationError) as refused:
        Registry.model_validate({**_PLAIN, **more})
    assert refused.value.errors()[0]["loc"] == (place,)


def test_credentials_need_https() -> None:
    """No worker sends a password without TLS."""
    with pytest.raises(ValidationError, match="credentialsSecret needs a url with https"):
        Registry.model_validate({**_SECURE, "url": "http://registry.data"})


def test_output_names_its_registry() -> None:
    """A name is one of the list, or none."""
    rows = [Registry.model_validate(row) for row in (_PLAIN, _SECURE)]
    output = {"topic": "shop", "ledgerTopic": "shop-ledger", "encoding": "avro"}

    for name, found in (("plain", rows[0]), ("main", rows[1]), ("other", None), (None, None)):
        named = EventOutput.model_validate({**output, "registry": name})
        assert named_registry(named, rows) == found
