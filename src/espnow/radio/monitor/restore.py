"""Puts back interfaces that processes left in monitor mode when they were killed."""

from __future__ import annotations

import errno
from contextlib import AbstractContextManager, nullcontext

from espnow.errors import UserError
from espnow.radio.monitor import device, others, privileges, state
from espnow.radio.monitor.adapter import open_nl80211, put_back
from espnow.radio.monitor.findings import Finding, Verdict

__all__ = ["restore_all"]


def restore_all() -> list[Finding]:
    """Put back what processes that are gone left, and say what was done; what living ones use is left alone."""
    records = state.read_all()
    if not records:
        return [Finding("this computer", "left behind", Verdict.GOOD, "nothing")]
    found = []
    for record in records:
        name = record.before.name
        if record.alive:
            found.append(_in_use(name, record.pid))
        elif not record.this_boot:
            state.remove(record.path)
            told = "the computer was started anew since: nothing to put back"
            found.append(Finding(name, "left behind", Verdict.GOOD, told))
        else:
            found.append(_restore(record))
    return found


def _in_use(name: str, pid: int) -> Finding:
    who = f"process {pid}, {others.process_name(pid)}" if pid else "another process"
    return Finding(name, "left behind", Verdict.NOTE, f"in use by {who}: left as it is")


def _claimed(name: str) -> AbstractContextManager[object]:
    """Take an interface, lest a program use it meanwhile; one that is not there needs no taking.

    Raises:
        OSError: a living program has it (EADDRINUSE).
    """
    try:
        index = device.read_device(name).index
    except OSError:
        return nullcontext()
    return state.claim(index)


def _holder(name: str) -> int:
    try:
        return state.holder(device.read_device(name).index) or 0
    except OSError:  # gone meanwhile
        return 0


def _restore(record: state.Record) -> Finding:
    before = record.before
    check = "putting back"
    try:
        with _claimed(before.name), open_nl80211(before.name) as nl80211:
            done = put_back(nl80211, before)
    except UserError as error:
        return Finding(before.name, check, Verdict.BAD, str(error))
    except OSError as error:
        cure = ""
        if error.errno == errno.EADDRINUSE:
            return _in_use(before.name, _holder(before.name))
        if error.errno in (errno.EPERM, errno.EACCES):
            cure = privileges.advice(privileges.NET_ADMIN)
        return Finding(before.name, check, Verdict.BAD, f"refused: {error.strerror}", cure)
    state.remove(record.path)
    if not done:
        return Finding(before.name, check, Verdict.GOOD, "it is not there any more: nothing to put back")
    told = f"{before.mode.label}, {'up' if before.up else 'down'}, MTU {before.mtu}, as before process {record.pid}"
    return Finding(before.name, check, Verdict.GOOD, told)
