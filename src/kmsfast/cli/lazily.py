"""A group of commands that imports a command when it is used; its own help needs none of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

__all__ = ["Commands"]


class Commands(click.Group):
    """A group.

    Args:
        places: of each command its module and name in it, ``stores.init``, and what the help of the
            group says of it.
    """

    def __init__(self, *args: Any, places: Mapping[str, tuple[str, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self._places = dict(places)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted({*self._places, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in self.commands and cmd_name in self._places:
            module, _, attribute = self._places[cmd_name][0].partition(".")
            found = getattr(import_module(f"kmsfast.cli.{module}"), attribute)
            self.add_command(found, cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands, each with a line."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._line(ctx, name)) for name in self.list_commands(ctx)])

    def _line(self, ctx: click.Context, name: str) -> str:
        if name in self._places:
            return self._places[name][1]
        command = self.get_command(ctx, name)
        return "" if command is None else command.get_short_help_str(80)
