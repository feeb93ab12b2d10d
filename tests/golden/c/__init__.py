"""Tests of the network as C."""
