"""Simulations that come with the command."""

from __future__ import annotations

from pathlib import Path

import pytest
from clickstream_contract.document import parse_simulation
from clickstream_local.shipped import shipped_simulations, simulation_file


def test_every_shipped_simulation_runs() -> None:
    """Each has the name of its file and is accepted as it is."""
    found = shipped_simulations()

    assert {"storefront", "chaos", "black-friday"} <= set(found)
    for name, file in found.items():
        assert parse_simulation(file.read_text("utf-8")).full_name == name


def test_the_package_comes_first(tmp_path: Path) -> None:
    """An installed package uses the files inside it, a checkout those of ``k8s/simulations``."""
    packaged, checkout = tmp_path / "packaged", tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "shop.yaml").touch()
    assert shipped_simulations(packaged, checkout) == {"shop": checkout / "shop.yaml"}

    packaged.mkdir()
    (packaged / "shop.yaml").touch()
    assert shipped_simulations(packaged, checkout) == {"shop": packaged / "shop.yaml"}


def test_a_file_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the user's is taken before a shipped simulation of the same name."""
    monkeypatch.chdir(tmp_path)
    assert simulation_file(Path("storefront")) == shipped_simulations()["storefront"]

    Path("storefront").touch()
    assert simulation_file(Path("storefront")) == Path("storefront")


@pytest.mark.parametrize("named", ["nowhere", "nowhere.yaml", "k8s/storefront", "storefront.yaml"])
def test_an_unknown_name_stays_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """An unknown name is returned unchanged; opening it fails with the path."""
    monkeypatch.chdir(tmp_path)

    assert simulation_file(Path(named)) == Path(named)
