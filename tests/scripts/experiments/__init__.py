"""Tests of scripts/speech."""
