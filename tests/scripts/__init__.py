"""Tests of the commands and of set-up."""
