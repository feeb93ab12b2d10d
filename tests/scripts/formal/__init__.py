"""Tests of scripts/formal."""
