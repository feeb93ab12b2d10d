"""Pictures of the accelerator, drawn from its parameters and its cycles."""
