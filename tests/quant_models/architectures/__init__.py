"""Tests of `quant_models`."""
