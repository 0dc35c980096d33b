"""The simulations shipped with the command, by name.

They are in the installed package, or in ``k8s/simulations`` of a checkout.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped_simulations", "simulation_file"]

_PACKAGED = Path(__file__).with_name("simulations")
_CHECKOUT = Path(__file__).parents[4] / "k8s" / "simulations"


def shipped_simulations(packaged: Path = _PACKAGED, checkout: Path = _CHECKOUT) -> dict[str, Path]:
    """Return the file of each simulation, by the simulation's name."""
    folder = packaged if packaged.is_dir() else checkout
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def simulation_file(named: Path) -> Path:
    """Return the file at a path, else the shipped simulation of that name.

    Args:
        named: A path, or a name without a folder, such as ``storefront``.
    """
    return named if named.exists() else shipped_simulations().get(str(named), named)
