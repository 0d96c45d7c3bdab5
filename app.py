"""Start the studio: read the settings, build the services, open the page."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from label_store.errors import StoreError
from label_store.sync.settings import read_sync_settings
from ser_core.checkpoints.shipped import locate
from ui import request_log, temporary
from ui.identity import Identity, IdentityError, parse_users, require_passwords
from ui.services import AppSettings, Services

if TYPE_CHECKING:
    import gradio as gr

FOLD_IN_SECONDS = 60.0
"""How long the page waits at most for what is kept elsewhere."""

END_SECONDS = 9.0
"""How long an end may take; a Space's grace is about ten seconds."""


def read_settings(env: Mapping[str, str]) -> tuple[AppSettings, Identity]:
    """Return the settings that the environment asks for.

    Raises:
        IdentityError: SER_USERS or SER_PORT makes no sense.
        SyncError: SER_SYNC_CLIPS or SER_SYNC_MODELS makes no sense.
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
        model=locate(model) if model else AppSettings.model,
        pinned=bool(model),
        host=host,
        port=int(port),
        device=env.get("SER_DEVICE") or "auto",
        mcp=env.get("SER_MCP", "") not in ("", "0"),
        sync=read_sync_settings(env),
        keep_days=read_days(env.get("SER_KEEP_DAYS", "").strip()),
    )
    owner = env.get("SPACE_AUTHOR_NAME", "")
    return settings, Identity(users=users, host=host, space=space, owner=owner)


def read_days(text: str) -> float | None:
    """Return how many days recordings are kept; None = until somebody deletes them.

    Raises:
        IdentityError: it is no number of days.
    """
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) < 100_000:
        raise IdentityError(f"SER_KEEP_DAYS is “{text[:40]}”; a whole number of days is expected.")
    return float(text)


def keep_no_longer(services: Services, ended: threading.Event) -> None:
    """Delete recordings that are older than the settings let them be, every hour until the end."""
    from ui.about.personal_data import delete_old

    while True:
        text = delete_old(services)
        if text:
            print(text, file=sys.stderr, flush=True)
        if ended.wait(3600):
            return


def warm(services: Services) -> None:
    """Load the model, then look at the corpora; say on the console where that fails.

    The page stays up. Many clips take seconds to be listed and laid out in a table, and who opens
    Label or Corpus should not wait.
    """
    from label_store.errors import StoreError
    from ser_core.errors import SerError

    try:
        services.warm()
    except SerError as error:
        print(f"The model is not ready: {error}", file=sys.stderr, flush=True)
    try:
        if services.catalogue.listing().files:
            for make in (*services.ahead, services.standing.read):
                make()
    except (SerError, StoreError, OSError) as error:
        print(f"The corpora can't be read ahead: {error}", file=sys.stderr, flush=True)
    gc.collect()
    gc.freeze()  # the page's own parts: no later collection, which halts everybody, goes over them


def declare_lent_device(services: Services) -> None:
    """On a ZeroGPU Space, mark what uses the device, and put the model there if that was asked.

    The Space looks for both when the page is opened; anywhere else this does nothing.
    """
    from ser_core.device import asks_for_lent, lent_by_the_second

    if lent_by_the_second():
        import_module("ser_core.inference.zero_gpu")
    if asks_for_lent(services.settings.device):
        warm(services)


def fold_in(services: Services) -> None:
    """Wait until what is kept elsewhere is here; a place out of reach holds up no page for long."""
    syncer = services.syncer
    if syncer is not None and not syncer.wait_folded_in(FOLD_IN_SECONDS):
        status = syncer.status()
        reason = status.error or f"{status.place} is still being read."
        print(f"Not everything is here yet: {reason}", file=sys.stderr, flush=True)


def listen_for_the_end() -> threading.Event:
    """Return what is set when the process is asked to end (SIGTERM, Ctrl-C)."""
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    return asked


def stay(page: gr.Blocks, services: Services, asked: threading.Event) -> None:
    """Stay until asked to end; then send what is still to go, and close."""
    while not asked.wait(0.5):
        pass  # a wait without an end would not let the handler run on every system
    begun = time.monotonic()
    # Whatever else still runs (an hour of audio, a request that hangs) does not outlive the grace:
    # every label that was called saved is on disk.
    last = threading.Timer(END_SECONDS, os._exit, (0,))
    last.daemon = True
    last.start()
    closing = threading.Thread(target=page.close, kwargs={"verbose": False}, daemon=True)
    closing.start()
    syncer = services.syncer
    if syncer is not None and not syncer.stop(END_SECONDS - 2 - (time.monotonic() - begun)):
        status = syncer.status()
        print(
            f"{status.waiting} labels are saved here and not yet kept at {status.place}"
            f"{': ' + status.error if status.error else '.'}",
            file=sys.stderr,
            flush=True,
        )
    closing.join(1.0)


def main() -> int:
    """Open the page and stay until interrupted."""
    gc.disable()  # what a start makes stays: looking through it for waste takes a tenth of the time
    try:
        settings, identity = read_settings(os.environ)
        services = Services(settings, identity)
        if services.syncer is not None:
            services.syncer.start()  # it reads the place while the page's parts are loaded
    except (IdentityError, StoreError) as error:
        print(error, file=sys.stderr)
        return 2
    request_log.set_up(every_call=identity.mode != "local")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    given = os.environ.get("GRADIO_TEMP_DIR")
    uploads = temporary.uploads_folder(Path(given) if given else None)
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    from ui.page import build_page, greeting, launch_options

    page = build_page(services, sign_in=identity.space and "OAUTH_CLIENT_ID" in os.environ)
    declare_lent_device(services)
    fold_in(services)
    ended = threading.Event()
    threading.Thread(target=temporary.sweep_forever, args=(ended,), daemon=True).start()
    if settings.keep_days is not None:
        threading.Thread(target=keep_no_longer, args=(services, ended), daemon=True).start()
    asked = listen_for_the_end()  # from here on there may be labels to send
    page.launch(**launch_options(services), prevent_thread_lock=True, quiet=True)
    shown = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host
    print(f"The studio is open: http://{shown}:{settings.port}\n{greeting(identity)}", flush=True)
    gc.enable()
    threading.Thread(target=warm, args=(services,), daemon=True).start()
    stay(page, services, asked)
    shutil.rmtree(uploads, ignore_errors=True)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is on disk; an orderly end would wait for whatever still computes.
    os._exit(code)
