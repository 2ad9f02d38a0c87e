"""How content goes out. A channel knows its platform and nothing of incidents."""
