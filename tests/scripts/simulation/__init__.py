"""Tests of scripts/simulation."""
