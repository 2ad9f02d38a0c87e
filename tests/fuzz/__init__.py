"""A mill for updates: strategies made from the Bot API's schema, a relay without a network, and what must hold."""
