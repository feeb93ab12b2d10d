"""Tests of dataflow/widths."""
