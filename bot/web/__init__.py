"""The web port. For now it only tells whether the relay is well."""
