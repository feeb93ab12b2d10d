"""The integer network, its exact arithmetic, and every file format that carries its integers."""
