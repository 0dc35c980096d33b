"""Tastes: what single users like, and which products go together.

Owns the fields of ``spec.tastes``.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from clickstream_contract.parts import Part, Permille

__all__ = ["Tastes"]


class Tastes(Part):
    """What single users like, and which products go together."""

    categories: Annotated[
        int, Field(ge=1, le=10, description="Number of each user's favourite categories.")
    ] = 3
    category_permille: Annotated[
        Permille, Field(description="Of 1000 choices of a category, how many are of a favourite.")
    ] = 600
    price_permille: Annotated[
        Permille,
        Field(description="Of 1000 items viewed, how many are the one of two nearer in price."),
    ] = 300
    companions: Annotated[
        int, Field(ge=1, le=10, description="Number of products that go with each product.")
    ] = 4
    together_permille: Annotated[
        Permille,
        Field(description="Of 1000 items viewed after one in the cart, how many go with it."),
    ] = 300
