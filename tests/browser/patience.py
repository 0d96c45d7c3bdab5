"""How long a browser test waits for what always comes, in ms; on a busy machine that is long."""

PATIENCE = 240_000
