"""The processor's name: as the kernel has it, or the architecture."""

import platform
from pathlib import Path

import pytest

from bench.host.cpu import cpu_model


def test_the_kernels_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the first CPU, without the padding of the file."""
    text = "processor\t: 0\nmodel name\t: Quick CPU @ 2GHz \nprocessor\t: 1\nmodel name\t: Another\n"
    monkeypatch.setattr(Path, "read_text", lambda *_args, **_named: text)
    assert cpu_model() == "Quick CPU @ 2GHz"


def test_elsewhere_it_is_the_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no such file, and where it has no name, as on some ARM hosts."""
    expected = platform.processor() or platform.machine()

    def missing(*_args: object, **_named: object) -> str:
        raise FileNotFoundError

    for reading in (missing, lambda *_args, **_named: "processor\t: 0\n"):
        monkeypatch.setattr(Path, "read_text", reading)
        assert cpu_model() == expected
