"""Use cases: load, decide, record, in one transaction. Nothing here sends: delivering brings posts up to date."""
