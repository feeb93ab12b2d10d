"""The network as C: its header, there and back, its inference, and that compiled for the host."""
