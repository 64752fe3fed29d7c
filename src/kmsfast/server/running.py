"""Running the server in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
import ssl
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path

from kmsfast.app import Application
from kmsfast.errors import ValidationError
from kmsfast.server.addresses import Tls, listening_socket, parse_address, require_loopback, url_of
from kmsfast.server.endpoint import Endpoint
from kmsfast.server.guard import Guard
from kmsfast.server.recording import Recording
from kmsfast.server.retention import retain
from kmsfast.server.seed_file import read_seed
from kmsfast.server.service_model import load_service_model
from kmsfast.server.throttling import QuotaGuard
from kmsfast.service.request_quotas import RequestQuotas

__all__ = ["serve"]


def serve(
    open_store: Callable[[], Application],
    address: str,
    *,
    insecure_no_auth: bool,
    tls: Tls | None,
    started: Callable[[Application, str], None],
    seed: Path | None = None,
    allow_reset: bool = False,
    audit: str = "on",
    limited: bool = False,
    retention: float | None = None,
) -> None:
    """Serves a store at an address until SIGTERM or SIGINT; requests in work are finished then.

    Args:
        open_store: called when the socket is there, so that two servers cannot both come so far.
        insecure_no_auth: whoever connects is the owner; else requests are signed, and policies
            decide.
        started: told the store and the URL when clients can connect.
        seed: a file of keys that are made if they are not there; without authentication only, since
            whoever wrote it knows their material.
        allow_reset: ``POST /_kmsfast/reset`` empties the store, and fills it with the seed again.
        audit: ``on``, ``strict`` or ``off``: whether requests are recorded.
        retention: days after which events of the audit log go; None: they stay.
        limited: accounts can make no more requests than their quotas say.

    Raises:
        ValidationError: an address or option that cannot be served, or the packages of
            ``kmsfast[http]`` are not there. OSError: the address is taken.
        KmsError: the store cannot be opened.
    """
    if not insecure_no_auth and (seed is not None or allow_reset):
        raise ValidationError(
            "a seed file and resets are for tests, without authentication: add --insecure-no-auth, "
            "or leave --seed and --allow-reset out"
        )
    context = None if tls is None else tls.context()
    place = parse_address(address)
    listening = listening_socket(place)
    try:
        if insecure_no_auth:
            require_loopback(listening)
        model = load_service_model()
        runner = _runner()
        _no_core_dumps()
        app = open_store()

        def fill(*, emptied: bool = False) -> None:
            keys = [] if seed is None else read_seed(seed, app.store.home)
            app.seeding.apply(keys, emptied=emptied)
            if emptied:
                app.deployment.forget_keys()  # of all regions

        fill()
        quotas = RequestQuotas(app.deployment.quotas) if limited else None
        guard = None if insecure_no_auth else _guard(app, quotas)
        reset = partial(fill, emptied=True) if allow_reset else None
        recording, daily = None, None
        if audit != "off":
            recorder = app.deployment.recorder(strict=audit == "strict")
            recorder.open()
            recording = Recording(recorder, model.recordable(), app.ring.clock)
            daily = None if retention is None else partial(retain, recorder, retention)
        with runner:
            runner.run(
                _serve(
                    Endpoint(app, model, guard, reset, recording, quotas=quotas),
                    listening,
                    context,
                    lambda: started(app, url_of(listening, tls=context is not None)),
                    keep_headers=guard is not None or recording is not None,
                    daily=daily,
                )
            )
    finally:
        listening.close()
        if place.path:
            Path(place.path).unlink(missing_ok=True)


def _guard(app: Application, quotas: RequestQuotas | None) -> Guard:
    """Asks who makes requests.

    Raises:
        ValidationError: nobody could make one.
    """
    if not app.deployment.principals.known().access_keys:
        raise ValidationError(
            "the store has no access keys, so nobody could sign a request: make one with 'kmsfast "
            "principal create NAME --administrator' and 'kmsfast access-key create NAME', or serve "
            "everyone on this machine with --insecure-no-auth"
        )
    return Guard(app) if quotas is None else QuotaGuard(app, quotas)


def _runner() -> asyncio.Runner:
    try:
        import httptools  # noqa: F401 - connections need it
        import uvloop
    except ImportError as error:
        raise ValidationError(
            f"the HTTP server needs {error.name}, which is not installed: "
            "pip install 'kmsfast[http]'"
        ) from error
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


async def _serve(
    endpoint: Endpoint,
    listening: socket.socket,
    context: ssl.SSLContext | None,
    started: Callable[[], None],
    *,
    keep_headers: bool,
    daily: Callable[[], Coroutine[None, None, None]] | None,
) -> None:
    from kmsfast.server.hub import Server

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    server = Server(endpoint, loop, keep_headers=keep_headers)
    listener = await loop.create_server(server.connection, sock=listening, ssl=context)
    tasks = [asyncio.create_task(server.sweep())]
    if daily is not None:
        tasks.append(asyncio.create_task(daily()))
    gc.collect()
    gc.freeze()  # what is there now stays: later collections need not look at it
    started()
    await stop.wait()
    listener.close()
    await server.drain()
    for task in tasks:
        task.cancel()


def _no_core_dumps() -> None:
    """Plaintexts pass through this process; none is left on a disk if it dies."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
