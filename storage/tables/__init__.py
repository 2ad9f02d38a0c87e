"""The rows of the relay. Statuses, acts and kinds are stored as their words, so that a dump can be read."""

from storage.tables.community import Binding, CategoryLimit, Community, District, Secretary, Sequence, Unit
from storage.tables.incident import Answer, Event, Incident, Part
from storage.tables.person import Person, Shop
from storage.tables.post import Picture, Post, Shown, Timer
from storage.tables.update import FailedUpdate, Handled, Note

__all__ = [
    "Answer",
    "Binding",
    "CategoryLimit",
    "Community",
    "District",
    "Event",
    "FailedUpdate",
    "Handled",
    "Incident",
    "Note",
    "Part",
    "Person",
    "Picture",
    "Post",
    "Secretary",
    "Sequence",
    "Shop",
    "Shown",
    "Timer",
    "Unit",
]
