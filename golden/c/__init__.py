"""The network as C: its header, there and back, and a program around it."""
