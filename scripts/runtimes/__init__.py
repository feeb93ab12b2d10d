"""Runtimes of TensorFlow Lite, each optional: what they compute is compared with our reference."""
