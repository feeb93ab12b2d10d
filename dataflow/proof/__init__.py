"""Which values each signal does take: bounds that no input leaves, inputs that come nearest."""
