"""Networks that were trained elsewhere, read from their files into an `IntegerNetwork`."""
