"""Simulations of the Verilog: `test_*.py` build and run, `tb_*.py` are the cocotb benches."""
