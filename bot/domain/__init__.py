"""The rules of the relay: standard library only, no clock, no database, no Telegram."""
