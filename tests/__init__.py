"""Tests, laid out as the packages they test, and the networks and inputs they share."""
