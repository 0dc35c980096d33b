"""Machines: devices, systems and browsers that fit, and user agents of each."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from clickstream_generator.core.technology import Technology, build_technologies
from faker import Faker

FAKER = Faker("en_US")


def _pool(seed: int = 42) -> tuple[Technology, ...]:
    FAKER.seed_instance(seed)
    return build_technologies(FAKER)


MAKES = {
    ("mobile", "Android", "Chrome"): 520,
    ("mobile", "Android", "Samsung Internet"): 70,
    ("mobile", "Android", "Firefox"): 20,
    ("mobile", "iOS", "Safari"): 340,
    ("mobile", "iOS", "Chrome"): 50,
    ("desktop", "Windows", "Chrome"): 450,
    ("desktop", "Windows", "Edge"): 170,
    ("desktop", "Windows", "Firefox"): 80,
    ("desktop", "macOS", "Safari"): 150,
    ("desktop", "macOS", "Chrome"): 110,
    ("desktop", "Linux", "Firefox"): 25,
    ("desktop", "Linux", "Chrome"): 15,
    ("tablet", "iPadOS", "Safari"): 620,
    ("tablet", "Android", "Chrome"): 380,
}
V, IOS = r"1[2-4]\d", r"1[678]"
ANDROID = r"Linux; Android 1[1-6]; K"
APPLE = r"AppleWebKit/605\.1\.15 \(KHTML, like Gecko\)"
CHROME = rf"AppleWebKit/537\.36 \(KHTML, like Gecko\) Chrome/{V}\.0\.0\.0"
WINDOWS = r"Windows NT 10\.0; Win64; x64"
MAC = r"Macintosh; Intel Mac OS X 10_15_7"
IPHONE = rf"iPhone; CPU iPhone OS {IOS}_[0-6] like Mac OS X"
IPAD = rf"iPad; CPU OS {IOS}_[0-6] like Mac OS X"
LINUX = r"X11; Linux x86_64"
AGENTS = {
    ("mobile", "Android", "Chrome"): rf"\({ANDROID}\) {CHROME} Mobile Safari/537\.36",
    ("mobile", "Android", "Samsung Internet"): (
        rf"\({ANDROID}\) {CHROME} Mobile Safari/537\.36 SamsungBrowser/27\.0"
    ),
    ("mobile", "Android", "Firefox"): (rf"\({ANDROID}; rv:({V})\.0\) Gecko/20100101 Firefox/\1\.0"),
    ("mobile", "iOS", "Safari"): (
        rf"\({IPHONE}\) {APPLE} Version/{IOS}\.0 Mobile/15E148 Safari/604\.1"
    ),
    ("mobile", "iOS", "Chrome"): (
        rf"\({IPHONE}\) {APPLE} CriOS/{V}\.0\.0\.0 Mobile/15E148 Safari/604\.1"
    ),
    ("desktop", "Windows", "Chrome"): rf"\({WINDOWS}\) {CHROME} Safari/537\.36",
    ("desktop", "Windows", "Edge"): (rf"\({WINDOWS}\) {CHROME} Safari/537\.36 Edg/{V}\.0\.0\.0"),
    ("desktop", "Windows", "Firefox"): (
        rf"\({WINDOWS}; rv:({V})\.0\) Gecko/20100101 Firefox/\1\.0"
    ),
    ("desktop", "macOS", "Safari"): (rf"\({MAC}\) {APPLE} Version/{IOS}\.[0-6] Safari/605\.1\.15"),
    ("desktop", "macOS", "Chrome"): rf"\({MAC}\) {CHROME} Safari/537\.36",
    ("desktop", "Linux", "Firefox"): rf"\({LINUX}; rv:({V})\.0\) Gecko/20100101 Firefox/\1\.0",
    ("desktop", "Linux", "Chrome"): rf"\({LINUX}\) {CHROME} Safari/537\.36",
    ("tablet", "iPadOS", "Safari"): (
        rf"\({IPAD}\) {APPLE} Version/{IOS}\.0 Mobile/15E148 Safari/604\.1"
    ),
    ("tablet", "Android", "Chrome"): rf"\({ANDROID}\) {CHROME} Safari/537\.36",
}


def test_shares_are_kept() -> None:
    """The versions of a system and browser share its weight, six of each."""
    people = [row for row in _pool() if not row.is_crawler]

    makes = Counter((row.device, row.os, row.browser) for row in people)
    assert makes == dict.fromkeys(MAKES, 6)
    for row in people:
        assert row.weight == MAKES[row.device, row.os, row.browser] / 6


def test_crawlers_come_last() -> None:
    """Three crawlers come after people's technologies, equally likely, with crawler user agents."""
    pool = _pool()

    assert [row.is_crawler for row in pool] == [False] * 84 + [True] * 3
    assert {(row.device, row.os, row.browser, row.weight) for row in pool[-3:]} == {
        ("desktop", "Linux", "Crawler", 1.0)
    }
    assert [row.user_agent for row in pool[-3:]] == [
        "Mozilla/5.0 (compatible; PriceSpider/2.0; +https://pricespider.example/bot)",
        "Mozilla/5.0 (compatible; ShopCrawler/2.1; +https://shopcrawler.example/bot)",
        "Mozilla/5.0 (compatible; IndexBot/2.2; +https://indexbot.example/bot)",
    ]


@pytest.mark.parametrize("make", AGENTS, ids=" ".join)
def test_agent_fits_its_machine(make: tuple[str, str, str]) -> None:
    """A user agent names its system and browser as that browser does."""
    agents = [row.user_agent for row in _pool() if (row.device, row.os, row.browser) == make]

    for agent in agents:
        assert re.fullmatch(rf"Mozilla/5\.0 {AGENTS[make]}", agent), agent


def test_versions_stay_in_range() -> None:
    """Over many pools the versions take their lowest and highest values and no others."""
    agents = [row.user_agent for seed in range(40) for row in _pool(seed)]

    def found(pattern: str) -> set[int]:
        return {int(number) for text in agents for number in re.findall(pattern, text)}

    assert found(r"Chrome/(\d+)") == set(range(120, 143))
    assert found(r"Android (\d+)") == set(range(11, 17))
    assert found(r"iPhone OS (\d+)_") == {16, 17, 18}
    assert found(r"iPhone OS \d+_(\d+)") == set(range(7))
    assert found(r"iPad; CPU OS \d+_(\d+)") == set(range(7))
    assert found(r"Version/(\d+)\.\d+ Safari/605") == {16, 17, 18}
    assert found(r"Version/\d+\.(-?\d+) Safari/605") == set(range(7))


def test_same_seed_makes_same_pool() -> None:
    """The pool depends on Faker's seed and nothing else."""
    assert _pool(7) == _pool(7)
    assert _pool(7) != _pool(8)
