"""Tests of the commands at the top of the repository."""
