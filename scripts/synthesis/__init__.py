"""Netlists by Yosys: cells, clock, area, energy, and their simulation."""
