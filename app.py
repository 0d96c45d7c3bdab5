"""Start the studio: read the settings, build the services, open the page."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from ui.identity import Identity, IdentityError, parse_users, require_passwords
from ui.services import AppSettings, Services


def read_settings(env: Mapping[str, str]) -> tuple[AppSettings, Identity]:
    """Return the settings that the environment asks for.

    Raises:
        IdentityError: SER_USERS or SER_PORT makes no sense.
    """
    space = "SPACE_ID" in env
    users = parse_users(env.get("SER_USERS", ""))
    if not space:
        require_passwords(users)
    port = env.get("SER_PORT", "7860")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise IdentityError(f"SER_PORT is “{port}”; a number from 1 to 65535 is expected.")
    host = env.get("SER_HOST") or ("0.0.0.0" if space else "127.0.0.1")
    model = env.get("SER_MODEL", "")
    settings = AppSettings(
        home=Path(env.get("SER_HOME") or "data"),
        model=Path(model) if model else AppSettings.model,
        pinned=bool(model),
        host=host,
        port=int(port),
        device=env.get("SER_DEVICE") or "auto",
    )
    owner = env.get("SPACE_AUTHOR_NAME", "")
    return settings, Identity(users=users, host=host, space=space, owner=owner)


def warm(services: Services) -> None:
    """Load the model; where that fails, say so on the console and leave the page up."""
    from ser_core.errors import SerError

    try:
        services.warm()
    except SerError as error:
        print(f"The model is not ready: {error}", file=sys.stderr, flush=True)


def main() -> int:
    """Open the page and stay until interrupted."""
    try:
        settings, identity = read_settings(os.environ)
    except IdentityError as error:
        print(error, file=sys.stderr)
        return 2
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    from ui.page import build_page, greeting, launch_options

    services = Services(settings, identity)
    page = build_page(services, sign_in=identity.space and "OAUTH_CLIENT_ID" in os.environ)
    page.queue(max_size=64, default_concurrency_limit=4)
    page.launch(**launch_options(services), prevent_thread_lock=True, quiet=True)
    shown = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host
    print(f"The studio is open: http://{shown}:{settings.port}\n{greeting(identity)}", flush=True)
    threading.Thread(target=warm, args=(services,), daemon=True).start()
    page.block_thread()
    return 0


if __name__ == "__main__":
    sys.exit(main())
