"""Technologies: matching devices, operating systems, browsers and user agents.

Owns the shares of systems and browsers per device, and the text of user agents. The shares are
rounded public market shares; they only shape the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clickstream_contract.events import DEVICES

if TYPE_CHECKING:
    from faker import Faker

__all__ = ["Technology", "build_technologies"]

_VARIANTS = 6
"""Number of user agents per system and browser, with different versions."""


@dataclass(frozen=True)
class Technology:
    """A device with its software; ``weight`` is its share within the device."""

    device: str
    os: str
    browser: str
    user_agent: str
    weight: float
    is_crawler: bool = False


_SHARES: tuple[tuple[str, str, str, float], ...] = (
    ("mobile", "Android", "Chrome", 520),
    ("mobile", "Android", "Samsung Internet", 70),
    ("mobile", "Android", "Firefox", 20),
    ("mobile", "iOS", "Safari", 340),
    ("mobile", "iOS", "Chrome", 50),
    ("desktop", "Windows", "Chrome", 450),
    ("desktop", "Windows", "Edge", 170),
    ("desktop", "Windows", "Firefox", 80),
    ("desktop", "macOS", "Safari", 150),
    ("desktop", "macOS", "Chrome", 110),
    ("desktop", "Linux", "Firefox", 25),
    ("desktop", "Linux", "Chrome", 15),
    ("tablet", "iPadOS", "Safari", 620),
    ("tablet", "Android", "Chrome", 380),
)


def build_technologies(faker: Faker) -> tuple[Technology, ...]:
    """Return the pool, with Faker's versions and platforms; crawlers come last."""
    pool = [
        Technology(
            device, system, browser, _user_agent(faker, device, system, browser), share / _VARIANTS
        )
        for device, system, browser, share in _SHARES
        for _ in range(_VARIANTS)
    ]
    pool += [
        Technology(
            DEVICES[1],
            "Linux",
            "Crawler",
            f"Mozilla/5.0 (compatible; {name}/2.{minor}; +https://{name.lower()}.example/bot)",
            1.0,
            is_crawler=True,
        )
        for minor, name in enumerate(("PriceSpider", "ShopCrawler", "IndexBot"))
    ]
    return tuple(pool)


def _user_agent(faker: Faker, device: str, system: str, browser: str) -> str:
    """Return a user agent in the browser's format (RFC 9110, section 10.1.5)."""
    version = faker.random_int(120, 142)
    if system in {"iOS", "iPadOS"}:
        major = faker.random_int(16, 18)
        machine = (
            f"iPad; CPU OS {major}_{faker.random_int(0, 6)} like Mac OS X"
            if device == "tablet"
            else f"iPhone; CPU iPhone OS {major}_{faker.random_int(0, 6)} like Mac OS X"
        )
        name = f"CriOS/{version}.0.0.0" if browser == "Chrome" else f"Version/{major}.0"
        return (
            f"Mozilla/5.0 ({machine}) AppleWebKit/605.1.15 (KHTML, like Gecko) {name}"
            " Mobile/15E148 Safari/604.1"
        )
    machine = {
        "Android": f"Linux; Android {faker.random_int(11, 16)}; K",
        "Windows": "Windows NT 10.0; Win64; x64",
        "macOS": "Macintosh; Intel Mac OS X 10_15_7",
        "Linux": "X11; Linux x86_64",
    }[system]
    if browser == "Firefox":
        return f"Mozilla/5.0 ({machine}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
    if browser == "Safari":
        return (
            f"Mozilla/5.0 ({machine}) AppleWebKit/605.1.15 (KHTML, like Gecko)"
            f" Version/{faker.random_int(16, 18)}.{faker.random_int(0, 6)} Safari/605.1.15"
        )
    extra = {"Edge": f" Edg/{version}.0.0.0", "Samsung Internet": " SamsungBrowser/27.0"}
    mobile = " Mobile" if device == "mobile" else ""
    return (
        f"Mozilla/5.0 ({machine}) AppleWebKit/537.36 (KHTML, like Gecko)"
        f" Chrome/{version}.0.0.0{mobile} Safari/537.36{extra.get(browser, '')}"
    )
