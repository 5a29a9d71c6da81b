"""Prices: what a message costs now, by the rate cards that were entered here. No amount is built in.

Money is an integer of millionths of the currency's unit. A price is free with a reason, an amount at most and without
tax, or not known; it is never guessed, and tells a reader no more of a masked number than its mask does.
"""

from chime.prices.actions import NewCard, create
from chime.prices.markets import MARKETS
from chime.prices.model import Amount, CardKind, Category, Free, Price, Rate, Terms, Unknown
from chime.prices.queries import terms

__all__ = ["MARKETS", "Amount", "CardKind", "Category", "Free", "NewCard", "Price", "Rate", "Terms", "Unknown",
           "create", "terms"]
