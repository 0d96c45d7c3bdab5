"""Tables in and out: CSV, audiofolder, Label Studio, Parquet; a plan before anything changes."""
