"""Declared widths and signs of Verilog against those that its signals need."""
