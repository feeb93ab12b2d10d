"""How commands talk with people: flags, errors, progress, tables."""
