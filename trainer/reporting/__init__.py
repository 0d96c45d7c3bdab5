"""Reports: tables, model card, HTML."""
