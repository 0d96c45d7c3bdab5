"""The page: one module a tab, figures and theme. No science and no files in here."""
