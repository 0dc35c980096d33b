"""Take the documentation's pictures of the console: `make screenshots`.

Owns which there are. It runs the storefront with everything that belongs to it for two minutes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from browser import chromium
from clickstream_contract.document import parse_simulation
from clickstream_local.stack import Stack
from clickstream_local.state import StateFolder
from rich.console import Console

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
_WATCH_MILLISECONDS = 100_000
_SETTLE_MILLISECONDS = 1_500
_PICTURES = (
    ("console-desktop", "light", 1280, 2),
    ("console-dark", "dark", 1280, 1),
    ("console-phone", "light", 390, 1.5),
)


def main() -> None:
    """Run the storefront, look for a while, and take the pictures."""
    text = (ROOT / "k8s" / "simulations" / "storefront.yaml").read_text(encoding="utf-8")
    simulation = parse_simulation(text).with_overrides(
        duration_seconds=300, events_per_second=1_000
    )
    console = Console()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="clickstream-pictures-") as folder:
        stack = Stack(StateFolder(Path(folder)), console, console.print)
        try:
            stack.start(simulation)
            _take(stack.console_url)
        finally:
            stack.stop()


def _take(url: str) -> None:
    with chromium() as browser:
        pages = []
        for _, scheme, width, scale in _PICTURES:
            page = browser.new_page(
                viewport={"width": width, "height": 900},
                color_scheme="dark" if scheme == "dark" else "light",
                device_scale_factor=scale,
            )
            page.goto(url)
            pages.append(page)
        pages[0].wait_for_timeout(_WATCH_MILLISECONDS)
        for (name, *_), page in zip(_PICTURES, pages, strict=True):
            page.bring_to_front()
            page.wait_for_timeout(_SETTLE_MILLISECONDS)
            page.screenshot(path=IMAGES / f"{name}.png", full_page=True)


if __name__ == "__main__":
    main()
