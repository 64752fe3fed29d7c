"""What an extension for Linux asks of the machine: its ELF file (System V gABI, chapters 4, 5)."""

from __future__ import annotations

import io
from collections.abc import Iterator

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

PF_X = 1
DF_BIND_NOW, DF_1_NOW = 0x8, 0x1


class Elf:
    """One shared object."""

    def __init__(self, data: bytes) -> None:
        self._file = ELFFile(io.BytesIO(data))
        self._tags = list(self._dynamic())

    def _dynamic(self) -> Iterator[tuple[str, object]]:
        for section in self._file.iter_sections():
            if isinstance(section, DynamicSection):
                for tag in section.iter_tags():
                    name = tag.entry.d_tag
                    text = {
                        "DT_NEEDED": "needed",
                        "DT_RPATH": "rpath",
                        "DT_RUNPATH": "runpath",
                    }.get(name)
                    yield name, getattr(tag, text) if text else tag.entry.d_val

    @property
    def machine(self) -> str:
        """The architecture."""
        return str(self._file.get_machine_arch())

    @property
    def needed(self) -> list[str]:
        """Libraries that the loader brings with it."""
        return [str(value) for name, value in self._tags if name == "DT_NEEDED"]

    @property
    def search_path(self) -> str:
        """Where the loader would look for libraries before its own places."""
        return ":".join(
            str(value) for name, value in self._tags if name in ("DT_RPATH", "DT_RUNPATH")
        )

    @property
    def sections(self) -> list[str]:
        """Names of the sections."""
        return [section.name for section in self._file.iter_sections()]

    @property
    def exports(self) -> list[str]:
        """Symbols that others can link to."""
        table = self._file.get_section_by_name(".dynsym")
        symbols = table.iter_symbols() if isinstance(table, SymbolTableSection) else ()
        return [s.name for s in symbols if s.entry.st_shndx != "SHN_UNDEF" and s.name]

    @property
    def hardening(self) -> dict[str, bool]:
        """What a loader can do to make an attack harder, and whether this file lets it."""
        flags = {name: value for name, value in self._tags if name in ("DT_FLAGS", "DT_FLAGS_1")}
        now = (
            int(str(flags.get("DT_FLAGS", 0))) & DF_BIND_NOW
            or int(str(flags.get("DT_FLAGS_1", 0))) & DF_1_NOW
        )
        types = {
            segment.header.p_type: segment.header.p_flags for segment in self._file.iter_segments()
        }
        return {
            "a read-only table of addresses (RELRO)": "PT_GNU_RELRO" in types,
            "binding at load (BIND_NOW)": bool(now),
            "a stack that is not executable": not types.get("PT_GNU_STACK", PF_X) & PF_X,
        }
