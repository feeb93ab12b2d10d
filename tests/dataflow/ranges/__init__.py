"""Tests of dataflow/ranges."""
