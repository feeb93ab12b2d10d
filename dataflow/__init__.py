"""The network as hardware sees it: value ranges, bit widths, schedules and cycles."""
