"""The kill loop: the real relay under load against the emulator, killed again and again, judged when all is at rest."""
