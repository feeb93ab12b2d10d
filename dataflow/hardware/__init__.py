"""The accelerator as numbers: configurations, parameters of its Verilog, cycles of every value."""
