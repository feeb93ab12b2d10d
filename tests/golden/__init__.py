"""Tests of the `golden` package."""
