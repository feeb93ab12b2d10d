"""Tests of dataflow/proof."""
