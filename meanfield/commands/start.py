"""How a command begins, before anything of size is imported: interruptible, in an environment that works.

Nothing here is imported that a file in the working directory could stand in for: the path is made safe first.
"""

from __future__ import annotations

import sys

_HERE = __file__


def safe_path() -> None:
    """Take the working directory off the path of modules (``python -m`` puts it first): a ``random.py`` there is no
    module of ours. Where the packages themselves lie in it, it comes last. Workers get the same."""
    import os

    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(_HERE))))
    here = os.getcwd() if os.path.isdir(".") else ""
    sys.path[:] = [place for place in sys.path if place not in ("", here)]
    if root not in sys.path:
        sys.path.append(root)
    os.environ["PYTHONSAFEPATH"] = "1"


def start(name: str, module: str) -> int:
    """Run ``main`` of a command's module in a prepared process and return its exit status, 130 after an interrupt."""
    safe_path()
    from meanfield.commands.environment import interruptible, prepare

    with interruptible(name):
        prepare()
        import importlib

        main = importlib.import_module(module).main
    try:
        status: int = main()
    except KeyboardInterrupt:  # before or after the command itself
        print(f"{name}: interrupted", file=sys.stderr)
        status = 130
    if status == 130:
        _end_interrupted()
    return status


def _end_interrupted() -> None:
    """Python ends by SIGINT itself where an interrupt once passed through generated code, whoever caught it."""
    import atexit
    import multiprocessing
    import os
    import signal

    for worker in multiprocessing.active_children():  # one that was just starting has not heard of the interrupt
        if worker.pid:
            os.kill(worker.pid, signal.SIGKILL)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(130)
