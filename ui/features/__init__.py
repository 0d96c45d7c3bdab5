"""The Features tab."""
