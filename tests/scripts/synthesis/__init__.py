"""Tests of scripts/synthesis."""
