"""The state folder: its layout, its lock, and its state file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from clickstream_local.errors import AlreadyRunning, StateBroken
from clickstream_local.state import StateFolder

if TYPE_CHECKING:
    from pathlib import Path

_RUNNING: dict[str, Any] = {"simulation": "shop", "since": "noon", "pid": 7, "services": []}


def test_folders_are_made_when_needed(tmp_path: Path) -> None:
    """No folder is created before its use, and it may be requested twice."""
    state = StateFolder(tmp_path / "state")
    assert not state.root.exists()

    assert state.folder("kafka") == state.folder("kafka") == tmp_path / "state" / "kafka"
    assert state.log_file("kafka") == tmp_path / "state" / "logs" / "kafka.log"
    assert (tmp_path / "state" / "logs").is_dir()


def test_folders_are_private(tmp_path: Path) -> None:
    """New folders are private; an existing folder keeps its permissions."""
    tmp_path.chmod(0o755)
    inside = StateFolder(tmp_path)
    made = StateFolder(tmp_path / "state")

    folders = [inside.folder("kafka"), made.folder("kafka"), made.root]

    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_older_folders_are_closed(tmp_path: Path) -> None:
    """Folders that an earlier version made readable are closed; no others are touched."""
    state = StateFolder(tmp_path)
    with state.lock():
        state.folder("kafka").chmod(0o755)
    notes = tmp_path / "notes"
    notes.mkdir(mode=0o755)

    with state.lock():
        pass

    assert state.folder("kafka").stat().st_mode & 0o777 == 0o700
    assert notes.stat().st_mode & 0o777 == 0o755


def test_foreign_folders_stay_open(tmp_path: Path) -> None:
    """In a folder that was no state folder, existing files keep their permissions."""
    (tmp_path / "logs").mkdir(mode=0o755)

    with StateFolder(tmp_path).lock():
        pass

    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o755


def test_secrets_are_private(tmp_path: Path) -> None:
    """A password is made once, in a file that only its owner can read."""
    state = StateFolder(tmp_path)
    first = state.secret("x")
    text = first.read_text(encoding="utf-8")

    assert first == tmp_path / "secrets" / "x.password"
    assert first.stat().st_mode & 0o777 == 0o600
    assert first.parent.stat().st_mode & 0o777 == 0o700
    assert state.secret("x").read_text(encoding="utf-8") == text
    assert len(text) >= 32
    assert state.secret("y").read_text(encoding="utf-8") != text


def test_locked_folder_is_left_alone(tmp_path: Path) -> None:
    """A second pipeline learns what runs, and the first one's state stays."""
    state = StateFolder(tmp_path)
    with state.lock():
        state.remember(_RUNNING)
        with (
            pytest.raises(AlreadyRunning, match="simulation shop has run since noon"),
            state.lock(),
        ):
            pass
        assert state.recall() == _RUNNING

    assert state.recall() is None


def test_lock_is_free_again(tmp_path: Path) -> None:
    """A folder can be used again after its pipeline has ended, also by an error."""
    state = StateFolder(tmp_path)
    with pytest.raises(ZeroDivisionError), state.lock():
        raise ZeroDivisionError

    with state.lock():
        state.remember(_RUNNING)
    assert state.recall() is None


def test_memory_is_kept_whole(tmp_path: Path) -> None:
    """What was written is read back, the last write counts, and no draft stays."""
    state = StateFolder(tmp_path)
    assert state.recall() is None
    state.forget()

    state.remember(_RUNNING)
    state.remember({**_RUNNING, "pid": 8})

    assert state.recall() == {**_RUNNING, "pid": 8}
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["state.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '"pid"'])
def test_broken_memory_is_named(tmp_path: Path, text: str) -> None:
    """A file that cannot be read is named, with what to do."""
    state = StateFolder(tmp_path)
    (state.folder("run") / "state.json").write_text(text)

    with pytest.raises(StateBroken, match=r"state\.json is broken: .*; if no .* delete the file"):
        state.recall()


def test_description_names_the_services(tmp_path: Path) -> None:
    """The running pipeline is described with its process and its services."""
    state = StateFolder(tmp_path)
    assert state.describe() == "another command is using it"
    state.remember(_RUNNING)
    assert state.describe() == "simulation shop has run since noon with pid 7"

    state.remember(
        {**_RUNNING, "services": [{"service": "kafka", "pid": 8}, {"service": "x", "pid": 9}]}
    )

    assert state.describe() == (
        "simulation shop has run since noon with pid 7 with kafka (pid 8), x (pid 9)"
    )
