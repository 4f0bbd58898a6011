"""What becomes of an account that is closed."""

from typing import Literal

from ledger.rules.basics import Part


class Closing(Part):
    """Points left when an account is closed are forfeited, or they stand in the way of it."""

    points: Literal["forfeit", "refuse"] = "forfeit"
