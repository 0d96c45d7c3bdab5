"""Learning: from corpora and corrections to a better champion."""
