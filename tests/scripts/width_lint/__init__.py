"""Tests of scripts/width_lint."""
