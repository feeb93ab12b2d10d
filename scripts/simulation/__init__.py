"""Networks as compiled C and as simulated Verilog, held against the reference."""
