"""Ctrl-C at the start: quiet while torch is imported, an exception at any other time."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from genaudio.cli.interrupt import quiet_while_importing


@pytest.fixture(autouse=True)
def _not_ignored() -> Iterator[None]:
    """A shell starts what it puts in the background with the signal ignored, the tests too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_within_the_import_of_torch_ends_the_process(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(
        textwrap.dedent("""
            import signal

            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                print("an exception, which C++ code would not survive")
        """)
    )
    code = f"""
        import sys
        from genaudio.cli.interrupt import quiet_while_importing
        sys.path.insert(0, {str(tmp_path)!r})
        with quiet_while_importing():
            import torch
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_ctrl_c_at_another_time_is_an_exception_and_the_handler_goes() -> None:
    with pytest.raises(KeyboardInterrupt), quiet_while_importing():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with quiet_while_importing():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
