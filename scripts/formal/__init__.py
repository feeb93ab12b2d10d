"""The proofs of the properties that stand in the Verilog."""
