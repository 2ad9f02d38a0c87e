"""What the bot may ask, grouped by noun; ``table`` names them all."""
