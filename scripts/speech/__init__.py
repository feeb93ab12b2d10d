"""Speech and noise that are synthesised, for whoever has no recordings."""
