"""Tests of value ranges, bit widths, schedules and cycles."""
