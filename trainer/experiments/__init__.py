"""Studies over many models."""
