"""Running the server in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
import ssl
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from kmsfast.app import Application
from kmsfast.errors import ValidationError
from kmsfast.server.addresses import (
    Address,
    Tls,
    listening_socket,
    parse_address,
    require_loopback,
    url_of,
)
from kmsfast.server.endpoint import Endpoint, Later
from kmsfast.server.guard import Guard
from kmsfast.server.metering import Metering
from kmsfast.server.metrics_door import MetricsEndpoint
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
    started: Callable[..., None],
    seed: Path | None = None,
    allow_reset: bool = False,
    audit: str = "on",
    limited: bool = False,
    retention: float | None = None,
    metrics: str | None = None,
    metrics_keys: int = 0,
) -> None:
    """Serves a store at an address until SIGTERM or SIGINT; requests in work are finished then.

    Args:
        open_store: called when the socket is there, so that two servers cannot both come so far.
        insecure_no_auth: whoever connects is the owner; else requests are signed, and policies
            decide.
        started: told the store, the URL, and that of metrics if they have one, when clients can
            connect.
        seed: a file of keys that are made if they are not there; without authentication only, since
            whoever wrote it knows their material.
        allow_reset: ``POST /_kmsfast/reset`` empties the store, and fills it with the seed again.
        audit: ``on``, ``strict`` or ``off``: whether requests are recorded.
        retention: days after which events of the audit log go; None: they stay.
        limited: accounts can make no more requests than their quotas say.
        metrics: the address that serves metrics, for everyone who reaches it.
        metrics_keys: how many keys that end are in them by name.

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
    place, own = parse_address(address), None if metrics is None else parse_address(metrics)
    with ExitStack() as stack:
        listening = _listening(stack, place)
        own_listening = None if own is None else _listening(stack, own)
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
        page = _metrics_page(app, metrics_keys)
        endpoint = Endpoint(
            app,
            model,
            guard,
            reset,
            recording,
            quotas=quotas,
            metrics=page if guard is None else None,
        )
        urls = [url_of(listening, tls=context is not None)]
        if own_listening is not None:
            urls.append(_metrics_url(own_listening))
        with runner:
            runner.run(
                _serve(
                    endpoint,
                    listening,
                    context,
                    lambda: started(app, *urls),
                    keep_headers=guard is not None or recording is not None,
                    daily=daily,
                    metering=Metering("http", model),
                    metrics=None if own is None else MetricsEndpoint(page, own.host),
                    metrics_listening=own_listening,
                )
            )


def _metrics_page(app: Application, most_keys: int) -> Later:
    from kmsfast.server.metrics_page import metrics_page  # its packages may not be there

    return metrics_page(app, most_keys)


def _metrics_url(listening: socket.socket) -> str:
    """What Prometheus is told; of a Unix socket its path."""
    at = url_of(listening, tls=False)
    return at if listening.family == socket.AF_UNIX else f"{at}/metrics"


def _listening(stack: ExitStack, place: Address) -> socket.socket:
    """A socket that listens there until the stack ends."""
    listening = listening_socket(place)
    if place.path:
        stack.callback(Path(place.path).unlink, missing_ok=True)
    return stack.enter_context(listening)


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
        import prometheus_client  # noqa: F401 - metrics need it
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
    metering: Metering,
    metrics: MetricsEndpoint | None,
    metrics_listening: socket.socket | None,
) -> None:
    from kmsfast.server.hub import Server

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    server = Server(endpoint, loop, keep_headers=keep_headers, metering=metering)
    servers = [server]
    listeners = [await loop.create_server(server.connection, sock=listening, ssl=context)]
    if metrics is not None and metrics_listening is not None:
        servers.append(own := Server(metrics, loop))
        listeners.append(await loop.create_server(own.connection, sock=metrics_listening))
    tasks = [asyncio.create_task(each.sweep()) for each in servers]
    if daily is not None:
        tasks.append(asyncio.create_task(daily()))
    gc.collect()
    gc.freeze()  # what is there now stays: later collections need not look at it
    started()
    await stop.wait()
    for listener in listeners:
        listener.close()
    await asyncio.gather(*(each.drain() for each in servers))
    for task in tasks:
        task.cancel()


def _no_core_dumps() -> None:
    """Plaintexts pass through this process; none is left on a disk if it dies."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
