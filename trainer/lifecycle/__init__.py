"""Runs, promotion, versions, schedule, lock."""
