"""What an address in a table says of a file: drives, servers and Label Studio's ways aside."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_LOCAL = "/data/local-files/?d="
_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")


def file_of(address: str) -> str:
    """Return the path of a file as it may be looked for: forward slashes, no drive, no server.

    >>> file_of("C:\\\\data\\\\talk\\\\a.wav"), file_of("./b/a.wav")
    ('data/talk/a.wav', 'b/a.wav')
    >>> file_of("/data/local-files/?d=talk/happy%20%2B%20loud.wav")
    'talk/happy + loud.wav'
    >>> file_of("/data/upload/5/d3886e88-call_01.wav"), file_of("s3://bucket/talk/50%25 sure.wav")
    ('call_01.wav', 'talk/50% sure.wav')
    """
    text = address.strip().strip('"')
    if _LOCAL in text:
        text = unquote(text.partition(_LOCAL)[2])
    elif _SCHEME.match(text):
        served = text.casefold().startswith(("http://", "https://"))
        # Only a server's address has a query; in a bucket # and ? are letters of the name.
        path = urlsplit(text).path if served else text.partition("://")[2].partition("/")[2]
        text = unquote(path)
    text = text.replace("\\", "/")
    text = re.sub(r"^[A-Za-z]:", "", text)
    uploaded = "/upload/" in f"/{text}"
    parts = [part for part in text.split("/") if part not in {"", ".", ".."}]
    if uploaded and parts:
        return _UPLOADED.sub("", unquote(parts[-1]), count=1)
    return "/".join(parts)
