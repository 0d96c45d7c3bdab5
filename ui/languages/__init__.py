"""What the page says in other languages: one table a language, English sentence -> sentence."""
