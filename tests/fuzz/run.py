"""Fuzz one parser with atheris: ``python tests/fuzz/run.py TARGET [libFuzzer's options] [folders of inputs]``.

The targets are those of `targets.py`. Without a number of inputs (``-runs=100000``) it goes on until something fails or
Ctrl-C. New inputs that reach new code are written into the first folder, if there is one; those in ``corpus/TARGET``
and those of `seeds.py` are read always.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"

#: The longest input of a target, in bytes: what a whole frame or a few packets take.
LENGTHS = {
    "frame": 1620,
    "encrypted": 1600,
    "toml": 1024,
    "radiotap": 256,
    "pcap": 1500,
    "pcapng": 1500,
    "wifi": 512,
    "udp": 2400,
    "live": 640,
}

# What the process is told that fuzzes: libFuzzer ends it without leaving Python, so another one clears up.
_FUZZ = "--fuzz"


def main(arguments: list[str]) -> int:
    """Lay out the inputs, and let another process fuzz with them."""
    if not arguments or arguments[0] not in LENGTHS:
        print(f"usage: python tests/fuzz/run.py TARGET [-runs=N ...] [FOLDER ...]; targets: {', '.join(LENGTHS)}")
        return 2
    import seeds

    name = arguments[0]
    options = [argument for argument in arguments[1:] if argument.startswith("-")]
    folders = [argument for argument in arguments[1:] if not argument.startswith("-")]
    with tempfile.TemporaryDirectory(prefix="espnow-fuzz-") as work:
        made = Path(work) / "seeds"
        made.mkdir()
        for number, seed in enumerate(seeds.make(name)):
            (made / f"{number:03}").write_bytes(seed)
        if not folders:
            new = Path(work) / "new"
            new.mkdir()
            folders = [str(new)]
        words = Path(work) / "words"
        lines = ["".join(f"\\x{byte:02x}" for byte in word) for word in seeds.WORDS[name]]
        words.write_text("".join(f'"{line}"\n' for line in lines))
        command = [sys.executable, __file__, _FUZZ, name, f"-max_len={LENGTHS[name]}", "-timeout=10", f"-dict={words}"]
        with subprocess.Popen([*command, *options, *folders, str(CORPUS / name), str(made)]) as process:
            while True:
                try:
                    return process.wait()
                except KeyboardInterrupt:  # libFuzzer has heard it too, and tells what it has done
                    continue


def fuzz(name: str, options: list[str]) -> None:
    """Run libFuzzer, which ends the process."""
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is missing: python -m pip install -e '.[fuzz]'")
    # What is not the project's is not to be explored, but for the reader of TOML.
    with atheris.instrument_imports(include=["espnow", "tomllib"]):
        import tomllib  # noqa: F401

        import targets

    targets.thorough = False
    atheris.Setup([sys.argv[0], *options], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == [_FUZZ]:
        fuzz(sys.argv[2], sys.argv[3:])
    sys.exit(main(sys.argv[1:]))
