"""The store that a command works on, opened when the first call needs it.

Rules:
- nothing is created but by ``init``, and by ``serve`` where it serves without authentication;
- a passphrase comes from KMSFAST_PASSPHRASE or from the terminal, never from the arguments, where
  every process of the machine could read it.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from kmsfast.errors import RootKeyMissing, StoreNotFound

if TYPE_CHECKING:
    from kmsfast.app import Application
    from kmsfast.client import sync as client
    from kmsfast.local import Kms

__all__ = ["PASSPHRASE_VARIABLE", "Session", "ask_passphrase", "default_store", "pass_session"]

PASSPHRASE_VARIABLE = "KMSFAST_PASSPHRASE"  # noqa: S105 - the name of a variable


def default_store() -> Path:
    """Where the store is when nobody says: the user's data directory (XDG base directories)."""
    base = os.environ.get("XDG_DATA_HOME", "")
    home = Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share"  # noqa: PTH117
    return home / "kmsfast"


class Session:
    """The store of one run of the program.

    Attributes:
        store: directory of the store.
        root_key_path: the root key file that the options name, or None.
        quotas: the file that says which quotas are not AWS's; None: that of the store.
        region: whose keys; None: that of the store. account: likewise.
        socket: of the server whose keys are meant instead of those of a store.
        principal: whom policies decide about; None: the owner.
        audit: whether operations are recorded, as :func:`kmsfast.open` has it.
    """

    def __init__(
        self,
        store: Path,
        root_key: Path | None,
        passphrase: bool,
        *,
        region: str | None = None,
        account: str | None = None,
        key_stores: Path | None = None,
        socket: Path | None = None,
        principal: str | None = None,
        audit: str = "on",
    ) -> None:
        self.principal, self.audit = principal, audit
        self.store, self.region, self.account = store, region, account
        self._key_stores, self.socket = key_stores, socket
        self.quotas: Path | None = None
        self.root_key_path = root_key
        self._passphrase = passphrase
        self._kms: Kms | None = None
        self._server: client.Kms | None = None
        self._application: Application | None = None

    @property
    def kms(self) -> Kms:
        """The opened store, or the server that has the keys: both have the same methods.

        Raises:
            KmsError: there is none, or the root key is missing or wrong.
        """
        if self.socket is None:
            return self.own
        if self._server is None:
            import kmsfast

            if self.account is not None:
                raise click.UsageError("with --socket the account is that of the caller")
            if self.principal is not None or self.audit != "on":
                raise click.UsageError(
                    "with --socket the server knows who calls, and what is recorded: leave out "
                    "--principal and --audit"
                )
            self._server = kmsfast.connect(self.socket, region=self.region)
        # What a command asks of it is there, with the same parameters and results.
        return cast("Kms", self._server)

    @property
    def own(self) -> Kms:
        """The opened store, for what only its owner can do.

        Raises:
            KmsError: there is none, or the root key is missing or wrong.
        """
        if self.socket is not None:
            raise click.UsageError(
                "this command works on a store itself: leave out --socket (or KMSFAST_SOCKET)"
            )
        if self._kms is None:
            self._kms = self.open()
        return self._kms

    def open(self, **settings: Any) -> Kms:
        """The store, for a door that says in events which command it is.

        Args:
            settings: of :func:`kmsfast.open`, in place of what the options say.

        Raises:
            KmsError: as :attr:`kms`.
        """
        from kmsfast.local import Source, open_for

        chosen = {
            "root": self.root, "region": self.region, "account": self.account,
            "key_stores": self._key_stores, "principal": self.principal, "audit": self.audit,
            **settings,
        }  # fmt: skip
        if callable(chosen["root"]):
            chosen["root"] = chosen["root"]()
        agent = f"{click.get_current_context().command_path} uid/{os.getuid()}"
        return open_for(self.store, Source("command line", agent), **chosen)

    def application(self, *, create: bool) -> Application:
        """The running service on the store, for its region and account.

        Args:
            create: make the store when there is none.

        Raises:
            KmsError: as :attr:`kms`.
        """
        from kmsfast import app

        start = partial(
            app.start, self.store, root=self.root(), region=self.region, account=self.account,
            key_stores=self._key_stores, quotas=self.quotas,
        )  # fmt: skip
        try:
            opened = start()
        except StoreNotFound:
            if not create:
                raise
            opened = start(create=True)
        self._application = opened
        return opened

    def choose_root(self, root_key: Path | None, passphrase: bool) -> None:
        """What a command's own options say, beside those in front of it."""
        self.root_key_path = root_key or self.root_key_path
        self._passphrase = passphrase or self._passphrase

    def root(self, *, confirm: bool = False) -> Any:
        """The root key that the options name; None for the store's own.

        Args:
            confirm: ask for a passphrase twice.
        """
        import kmsfast

        if self.root_key_path is not None:
            if self._passphrase:
                raise click.UsageError("--root-key and --passphrase exclude each other")
            return kmsfast.RootKeyFile(self.root_key_path)
        if self._passphrase or os.environ.get(PASSPHRASE_VARIABLE):
            return kmsfast.Passphrase(ask_passphrase("Passphrase", confirm=confirm))
        return None

    def close(self) -> None:
        """Closes the store, if it was opened."""
        if self._kms is not None:
            self._kms.close()
            self._kms = None
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._application is not None:
            self._application.close()
            self._application = None


def ask_passphrase(
    prompt: str, *, confirm: bool = False, variable: str = PASSPHRASE_VARIABLE
) -> str:
    """A passphrase from the environment or the terminal.

    Raises:
        RootKeyMissing: it is in neither.
    """
    text = os.environ.get(variable)
    if text:
        return text
    if not sys.stdin.isatty():
        raise RootKeyMissing(f"no terminal to ask for the passphrase; set {variable}")
    answer: str = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    return answer


pass_session = click.make_pass_decorator(Session)
