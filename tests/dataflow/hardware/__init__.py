"""Tests of dataflow/hardware."""
