"""libpq's parameters, refusals and environment variables."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from clickstream_contract.libpq import connection_parameters, forget_libpq, is_refusal

ROOT = Path(__file__).parents[3]


def _parameters(user: str | Path, folder: Path, ca_file: Path | None = None) -> dict[str, object]:
    password = folder / "password"
    password.write_text("p:w\\d\n", encoding="utf-8")
    return connection_parameters(
        "db", 5433, "shop", user, password, application="clickstream-x", connect_seconds=3,
        sslmode="require", ca_file=ca_file, options="-c timezone=UTC",
    )  # fmt: skip


def test_parameters_are_complete(tmp_path: Path) -> None:
    """Address, login and session are set, and what the environment could change."""
    assert _parameters("the owner", tmp_path, Path("/ca")) == {
        "host": "db",
        "port": 5433,
        "dbname": "shop",
        "user": "the owner",
        "password": "p:w\\d",
        "sslmode": "require",
        "sslrootcert": "/ca",
        "connect_timeout": 3,
        "application_name": "clickstream-x",
        "client_encoding": "UTF8",
        "hostaddr": "",
        "options": "-c timezone=UTC",
    }


def test_user_comes_from_a_file(tmp_path: Path) -> None:
    """A login in a file is read, without the end of its line."""
    (tmp_path / "user").write_text("someone\n", encoding="utf-8")

    assert _parameters(tmp_path / "user", tmp_path)["user"] == "someone"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("FATAL:  password authentication failed", True),
        ("FATAL:  the database system is starting up", False),
        ("connection refused", False),
    ],
)
def test_refusals_are_final(message: str, *, expected: bool) -> None:
    """A refused login is final; a server that starts or does not answer is none."""
    assert is_refusal(message) is expected


def _calls_without_parameters(source: str) -> list[int]:
    """Return the lines that connect by psycopg 2 without the parameters of one owner."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "psycopg2.connect"
        and not any(
            word.arg is None
            and isinstance(word.value, ast.Call)
            and ast.unparse(word.value.func).endswith("connection_parameters")
            for word in node.keywords
        )
    ]


def test_one_module_owns_parameters() -> None:
    """No process writes libpq's parameters of the project's database itself."""
    files = [*ROOT.glob("apps/*/src/**/*.py"), *ROOT.glob("*/src/**/*.py")]
    found = {
        str(file.relative_to(ROOT)): lines
        for file in files
        if (lines := _calls_without_parameters(file.read_text(encoding="utf-8")))
    }

    assert len(files) > 200
    assert found == {}
    assert _calls_without_parameters("psycopg2.connect(host='a', port=1)") == [1]


def test_libpq_variables_are_removed() -> None:
    """Libpq's variables go, and others stay."""
    others = {"PATH": "/bin", "CLICKSTREAM_PG": "1"}
    environment = {"PGHOSTADDR": "10.0.0.1", "PGSERVICE": "x", **others}

    forget_libpq(environment)

    assert environment == others
