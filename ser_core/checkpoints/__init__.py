"""Checkpoints: specification, weights, calibration, and the champion's pointer."""
