"""From samples to a prediction: speech detection, windows, batch, aggregation, calibration."""
