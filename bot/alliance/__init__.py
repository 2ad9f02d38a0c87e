"""The alliance file: who the communities, districts and partner units are, checked before anything is applied."""

from bot.alliance.entries import Alliance, CommunityEntry, DistrictEntry, LimitEntry, UnitEntry
from bot.alliance.reading import read
from bot.alliance.table import AllianceError

__all__ = ["Alliance", "AllianceError", "CommunityEntry", "DistrictEntry", "LimitEntry", "UnitEntry", "read"]
