"""Tests of dataflow/drawing."""
