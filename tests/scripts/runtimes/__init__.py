"""Tests of what runs models in TensorFlow Lite's runtimes."""
