"""What ``python -m label_store`` can do: one module a verb, each with ``add`` and its work."""
