"""Faults planted in the Verilog, and the benches that must notice them."""
