"""What the ranges mean in bits: widths of every signal, their report, smaller networks."""
