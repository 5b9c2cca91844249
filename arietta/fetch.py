"""One file from the web, resumed after a break; with the standard library alone.

    fetch_file("https://example.org/corpus.zip", Path("corpus.zip"))

Knows nothing of what it fetches: checksums and archives are its callers' business (`corpus.datasets`, `model.bundle`).
"""

from __future__ import annotations

import http.client
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from .errors import FetchError
from .names import escape_name

ATTEMPTS = 6  # without progress between them: with the pauses below, a minute of silence is given up
TIMEOUT = 30.0  # seconds without an answer, or without LEAST_PROGRESS
LEAST_PROGRESS = 1 << 14  # bytes; what sends fewer in that time, or until it breaks, would never end
MOST_BYTES = 4 * 2**30  # where a caller knows no better
BLOCK = 1 << 16  # bytes between two calls of `progress`
NO_SUCH_FILE = (404, 410)  # answers of a server that has no such file
WORTH_A_RETRY = (408, 429)  # the only refusals (4xx) that waiting may cure: too slow, too often

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]  # bytes that have come, bytes in all
Fetch = Callable[[str, Path], object]  # address and path: a file fetched in the caller's way, with a bar for example


class MissingError(FetchError):
    """The server has no such file."""


class _TooLargeError(Exception):
    """More comes than the file may have."""


def fetch_file(
    url: str,
    path: Path,
    progress: Progress = lambda done, total: None,
    pause: Callable[[float], None] = time.sleep,
    *,
    most_bytes: int = MOST_BYTES,
) -> Path:
    """Fetch `url` to `path`, resuming where an earlier call or a broken connection left off; return `path`.

    What has come so far waits beside `path` as a .part file. `pause(seconds)` waits between attempts. Raises
    MissingError where there is no such file, FetchError when several attempts make no progress, or where it has more
    than `most_bytes`: of what came then nothing stays.
    """
    part = path.with_name(path.name + ".part")
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _resume(url, part, before, progress, most_bytes):
                part.replace(path)
                return path
            reason = "the connection broke"
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"it answers {error.code} {escape_name(error.reason)}"
            if error.code in NO_SUCH_FILE:
                raise MissingError(f"{url}: cannot be fetched ({reason}); see that the address is right") from error
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and before:
                part.unlink()  # the part is longer than the file, which has changed since: begin again
                continue
            failures += ATTEMPTS if 300 <= error.code < 500 and error.code not in WORTH_A_RETRY else 0
        except _TooLargeError as error:
            part.unlink(missing_ok=True)
            raise FetchError(f"{url}: cannot be fetched ({error}); see that the address is right") from error
        except ValueError as error:  # a header that is none, or an address that it leads to
            why = f"its answer is broken: {escape_name(error)[:80]}"
            raise FetchError(f"{url}: cannot be fetched ({why}); see that the address is right") from error
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            reason = escape_name(getattr(error, "reason", error)) or type(error).__name__
        has_progress = part.exists() and part.stat().st_size >= before + LEAST_PROGRESS
        failures = 1 if has_progress else failures + 1
        if failures >= ATTEMPTS:
            raise FetchError(f"{url}: cannot be fetched ({reason}); run again later, what has come is kept in {part}")
        logger.info("%s: %s, trying again", url, reason)
        pause(2.0 ** (failures - 1))


def _resume(url: str, part: Path, before: int, progress: Progress, most_bytes: int) -> bool:
    """Append the bytes after the first `before` to `part`; return whether the file is complete."""
    # Without "identity" a server may compress the answer, and a range would count compressed bytes.
    headers = {"User-Agent": "arietta", "Accept-Encoding": "identity"}
    if before:
        headers["Range"] = f"bytes={before}-"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
        is_rest = answer.status == http.HTTPStatus.PARTIAL_CONTENT  # else the server ignores ranges: write it anew
        begun, start = time.monotonic(), before if is_rest else 0
        done = start
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length else 0
        if total > most_bytes:
            raise _TooLargeError(f"it has {total:,} bytes, more than {most_bytes:,}")
        with part.open("ab" if is_rest else "wb") as file:
            while block := answer.read1(BLOCK):
                file.write(block)
                done += len(block)
                if done > most_bytes:
                    raise _TooLargeError(f"it has more than {most_bytes:,} bytes")
                progress(done, max(done, total))
                if done - start < LEAST_PROGRESS * ((time.monotonic() - begun) / TIMEOUT - 1):
                    raise TimeoutError("it sends next to nothing")
    return done >= total
