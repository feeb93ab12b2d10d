"""Speeds, side by side: who takes part, how rounds are timed, how that is shown."""
