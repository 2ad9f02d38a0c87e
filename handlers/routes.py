"""The order in which handlers are asked: pictures first, they are what the bot is for."""

from aiogram import Dispatcher

from handlers import commands, membership, pictures, presses, words


def dispatcher() -> Dispatcher:
    """A dispatcher with every handler; no state machine, no middleware of aiogram's beyond its own."""
    routes = Dispatcher(disable_fsm=True, name="relay")
    for handler in (commands, pictures, presses, words, membership):
        routes.include_router(handler.router())
    return routes
