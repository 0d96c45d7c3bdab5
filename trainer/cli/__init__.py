"""What each verb of ``python -m trainer`` does, with everything it needs as arguments."""
