"""Pools of threads: what is waited for when the command is interrupted."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from builder.core.threads import thread_pool


@pytest.mark.parametrize("wait", [True, False])
def test_an_interrupt_waits_for_what_began_only_if_asked_to(wait: bool) -> None:
    began, release, done, late = threading.Event(), threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        release.wait(10)
        time.sleep(0.05)
        done.set()

    def interrupt() -> None:
        began.wait()
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)
        if wait:
            time.sleep(0.5)  # by when the pool waits
            release.set()

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt), thread_pool(1, "test", wait=wait) as pool:
        task = pool.submit(work)
        pool.submit(late.set)
        task.result()
    assert done.is_set() is wait
    release.set()
    assert done.wait(10)
    assert not late.wait(0.1)
