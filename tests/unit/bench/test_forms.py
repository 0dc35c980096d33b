"""How fast the forms are: which figures come, and that native is the reference."""

from __future__ import annotations

from functools import partial

import pytest
from clickstream_bench import forms
from clickstream_bench.shop import shop
from clickstream_contract.output import Form


def test_each_form_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each form has a speed as records and as requests, and all but native one against native."""
    monkeypatch.setattr(forms, "shop", partial(shop, users=2_000))

    found = forms.measure_forms(500)
    for name in Form:
        for way in ("records", "posted"):
            speed = found[f"{name}_{way}_per_second"]
            assert speed > 0
            if name is not Form.NATIVE:
                wanted = speed / found[f"native_{way}_per_second"]
                assert found[f"{name}_{way}_to_native"] == pytest.approx(wanted)
    assert len(found) == 2 * (2 * len(Form) - 1)
