"""What is written of a network: golden vectors, weights as text, memories, evidence."""
