"""Running the server in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from kmsfast.app import Application
from kmsfast.errors import ValidationError
from kmsfast.server.addresses import (
    Address,
    Tls,
    listening_socket,
    parse_address,
    require_loopback,
)
from kmsfast.server.doors import (
    LocalSocket,
    Running,
    http_door,
    metrics_door,
    socket_door,
)
from kmsfast.server.guard import Guard
from kmsfast.server.process import raise_descriptors, seal
from kmsfast.server.retention import retain
from kmsfast.server.seed_file import read_seed
from kmsfast.server.service_model import load_service_model
from kmsfast.server.throttling import QuotaGuard
from kmsfast.server.unix_place import Place
from kmsfast.service.request_quotas import RequestQuotas

__all__ = ["serve"]

_LOG: Final = logging.getLogger(__name__)


def serve(
    open_store: Callable[[], Application],
    address: str | None,
    *,
    insecure_no_auth: bool,
    tls: Tls | None,
    started: Callable[[Application, list[str], list[str]], None],
    seed: Path | None = None,
    allow_reset: bool = False,
    audit: str = "on",
    limited: bool = False,
    retention: float | None = None,
    metrics: str | None = None,
    metrics_keys: int = 0,
    local: LocalSocket | None = None,
) -> None:
    """Serves a store at an address until SIGTERM or SIGINT; requests in work are finished then.

    Args:
        open_store: called when the sockets are there, so that two servers cannot both come so far.
        address: of the HTTP door; None: there is none.
        insecure_no_auth: whoever connects is the owner; else requests are signed, peers of the
            socket are mapped, and policies decide.
        started: told the store, where it is served, and where metrics are, when clients can
            connect.
        seed: a file of keys that are made if they are not there; without authentication only, since
            whoever wrote it knows their material.
        allow_reset: ``POST /_kmsfast/reset`` empties the store, and fills it with the seed again.
        audit: ``on``, ``strict`` or ``off``: whether requests are recorded.
        retention: days after which events of the audit log go; None: they stay.
        limited: accounts can make no more requests than their quotas say.
        metrics: the address that serves metrics, for everyone who reaches it.
        metrics_keys: how many keys that end are in them by name.
        local: the Unix socket of docs/socket.md; None: there is none.

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
    with ExitStack() as closing:
        listening, place = _places(address, local, closing, open_to_all=insecure_no_auth)
        own = None if metrics is None else parse_address(metrics)
        own_listening = None if own is None else _listening(own, closing)
        model = load_service_model()
        runner = _runner(http=address is not None)
        seal()
        raise_descriptors()
        app = open_store()

        def fill(*, emptied: bool = False) -> None:
            keys = [] if seed is None else read_seed(seed, app.store.home)
            app.seeding.apply(keys, emptied=emptied)
            if emptied:
                app.deployment.forget_keys()  # of all regions

        fill()
        recorder, daily = None, None
        if audit != "off":
            recorder = app.deployment.recorder(strict=audit == "strict")
            recorder.open()
            daily = None if retention is None else partial(retain, recorder, retention)
        quotas = RequestQuotas(app.deployment.quotas) if limited else None
        doors: list[Running] = []
        if listening is not None:
            guard = None if insecure_no_auth else _guard(app, quotas)
            reset = partial(fill, emptied=True) if allow_reset else None
            doors.append(
                http_door(
                    app, model, recorder, listening, context, guard, reset, quotas, metrics_keys
                )
            )
        if place is not None:
            doors.append(
                socket_door(
                    app, model, recorder, place, open_to_all=insecure_no_auth, quotas=quotas
                )
            )
        places = [door.where for door in doors]
        measured = []
        if own is not None and own_listening is not None:
            doors.append(metrics_door(app, own, own_listening, metrics_keys))
            measured = [doors[-1].where]
        with runner:
            runner.run(_serve(doors, app, daily, lambda: started(app, places, measured)))


def _places(
    address: str | None, local: LocalSocket | None, closing: ExitStack, *, open_to_all: bool
) -> tuple[socket.socket | None, Place | None]:
    """The listening sockets of the doors; they go with ``closing``."""
    listening = None if address is None else _listening(parse_address(address), closing)
    if open_to_all and listening is not None:
        require_loopback(listening)
    place = None if local is None else local.open(open_to_all=open_to_all)
    if place is not None:
        closing.callback(place.close)
    return listening, place


def _listening(place: Address, closing: ExitStack) -> socket.socket:
    """A socket of the HTTP door; it, and its place, go with ``closing``."""
    listening = listening_socket(place)
    if place.path:
        closing.callback(Path(place.path).unlink, missing_ok=True)
    closing.callback(listening.close)
    return listening


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


def _runner(*, http: bool) -> asyncio.Runner:
    """Runs an event loop: uvloop's, which the HTTP door needs, or else Python's own."""
    try:
        import uvloop

        if http:
            import httptools  # noqa: F401 - connections need it
    except ImportError as error:
        if not http:
            return asyncio.Runner()
        raise ValidationError(
            f"the HTTP server needs {error.name}, which is not installed: "
            "pip install 'kmsfast[http]'"
        ) from error
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


async def _serve(
    doors: list[Running],
    app: Application,
    daily: Callable[[], Coroutine[None, None, None]] | None,
    started: Callable[[], None],
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, partial(_reload, app))
    running = [await door.begin() for door in doors]
    tasks = [asyncio.create_task(server.sweep()) for server in running]
    if daily is not None:
        tasks.append(asyncio.create_task(daily()))
    gc.collect()
    gc.freeze()  # what is there now stays: later collections need not look at it
    started()
    await stop.wait()
    for door in doors:
        door.end()
    await asyncio.gather(*(server.drain() for server in running))
    for task in tasks:
        task.cancel()


def _reload(app: Application) -> None:
    """Reads again what is configured outside of the store; all else is noticed by itself."""
    app.deployment.reload()
    _LOG.warning("reloaded: key stores outside are connected anew when they are used")
