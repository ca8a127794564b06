"""Tests, the simulated service and the demo."""
