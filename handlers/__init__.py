"""Telegram's door: each handler reads an update, calls one service and returns the answer to whoever pressed."""
