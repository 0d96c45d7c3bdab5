"""The Robustness tab."""
