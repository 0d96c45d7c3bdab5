"""The Recognise tab."""
