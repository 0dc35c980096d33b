"""The receiver of ``clickstream generate --output http://...``.

Owns the checks of the address, the files with headers and query parameters, and the client.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx
from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.form_requests import Requests
from clickstream_generator.shell.http_sink import HttpSink
from clickstream_generator.shell.text_file import read_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clickstream_generator.core.form_rows import Form

__all__ = ["HttpTarget", "http_target", "read_pairs"]

_SECONDS = 30.0
_MOST_BYTES = 100_000
_HEADER = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
_SECRET = re.compile(r"secret|token|password|api[-_]?key", re.IGNORECASE)
_OWN_HEADERS = ("content-type", "content-length", "host", "transfer-encoding")


def read_pairs(option: str, path: Path | None, separator: str) -> dict[str, str]:
    """Return the pairs of a file with lines such as ``NAME: VALUE``; values may be secrets.

    Args:
        option: The option's name, for errors.
        path: The file; ``None`` for no pairs.
        separator: The text between name and value.

    Raises:
        SimulationInvalid: The file cannot be read, or a line is no pair. No value is shown.
    """
    if path is None:
        return {}
    found: dict[str, str] = {}
    for place, line in enumerate(read_text(option, path, _MOST_BYTES).splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, is_there, value = (part.strip() for part in text.partition(separator))
        where = f"{path}, line {place}"
        if not is_there or not _HEADER.match(name) or not _is_plain(value):
            shape = f"NAME{separator}VALUE in printable ASCII characters"
            raise SimulationInvalid(where, None, f"it must be {shape}")
        if name.lower() in {known.lower() for known in found}:
            raise SimulationInvalid(where, name, "each name once")
        found[name] = value
    return found


@dataclass(frozen=True)
class HttpTarget:
    """A receiver.

    Attributes:
        url: The address, without the query parameters from a file.
        headers: Further headers.
        query: Further query parameters.
        ca_file: CA certificates; ``None`` for those of the system.
        most_records: Most records in a request; ``None`` for the form's limit.
        in_flight: Most requests at a time.
    """

    url: str
    headers: dict[str, str] = field(repr=False)
    query: dict[str, str] = field(repr=False)
    ca_file: str | None
    most_records: int | None
    in_flight: int

    def sink(
        self,
        form: Form,
        notice: Callable[[str], None],
        transport: httpx.BaseTransport | None = None,
    ) -> HttpSink:
        """Return a sink for records in a form.

        Args:
            form: The form.
            notice: Called with a sentence when an outage begins.
            transport: A transport instead of the network.
        """
        parts = urlsplit(self.url)
        url = self.url
        if self.query:
            url += ("&" if parts.query else "?") + urlencode(self.query)
        client = httpx.Client(
            headers=self.headers,
            verify=True
            if self.ca_file is None
            else ssl.create_default_context(cafile=self.ca_file),
            timeout=_SECONDS,
            # A redirect could send secrets to another host.
            follow_redirects=False,
            limits=httpx.Limits(max_connections=self.in_flight),
            # No proxy, and nothing else of the environment, between two processes of one machine.
            trust_env=not _is_loopback(parts.hostname or ""),
            transport=transport,
        )
        return HttpSink(
            client,
            url,
            parts._replace(query="").geturl(),
            Requests(form, self.most_records),
            self.in_flight,
            notice,
            (*self.headers.values(), *self.query.values(), *map(quote_plus, self.query.values())),
        )


def http_target(
    url: str,
    headers_file: Path | None = None,
    query_file: Path | None = None,
    ca_file: str | None = None,
    most_records: int | None = None,
    in_flight: int = 8,
) -> HttpTarget:
    """Return the receiver of the command's options.

    Raises:
        SimulationInvalid: An option or a file cannot be used.
    """
    try:
        parts = urlsplit(url)
        is_address = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        # Also refuse what the client refuses, such as the host xn--.
        is_address = is_address and bool(httpx.URL(url).host)
    except (ValueError, httpx.InvalidURL):
        is_address = False
    if not is_address or not _is_plain(url) or any(map(str.isspace, url)):
        # Do not show an address with a password.
        shown = None if "@" in url or "?" in url else url
        raise SimulationInvalid(
            "--output", shown, "it must be http://HOST/PATH or https://HOST/PATH"
        )
    if parts.username is not None or parts.password is not None:
        raise SimulationInvalid(
            "--output", None, "write no password into the address; use --http-headers FILE"
        )
    if _SECRET.search(parts.query):
        raise SimulationInvalid(
            "--output", None, "write no secret into the address; use --http-query FILE"
        )
    if ca_file is not None:
        try:
            ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            raise SimulationInvalid("--ca-file", ca_file, f"it cannot be used: {error}") from None
    headers = read_pairs("--http-headers", headers_file, ":")
    for name in headers:
        if name.lower() in _OWN_HEADERS:
            raise SimulationInvalid(
                str(headers_file), name, "the form decides this header; remove the line"
            )
    query = read_pairs("--http-query", query_file, "=")
    return HttpTarget(url, headers, query, ca_file, most_records, in_flight)


def _is_plain(text: str) -> bool:
    """Return whether a text has only printable ASCII characters."""
    return text.isascii() and text.isprintable()


def _is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
