"""What pyproject.toml cannot say: the examples' place in the package, and the compiled kernel of the air.

The kernel is compiled where there is a C compiler; without one the installation succeeds all the same, and the same
source runs interpreted. ``ESPNOW_COMPILE=0`` leaves it out.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py


class BuildWithExamples(build_py):
    """Copies each folder of ``examples/`` that has a lab file, and the plans, to ``espnow/examples/``."""

    def run(self) -> None:
        """Build, and copy."""
        super().run()
        if self.editable_mode:  # it reads them where they are
            return
        for source, target in self._examples():
            self.mkpath(str(Path(target).parent))
            self.copy_file(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Return the files that `run` makes."""
        return [*super().get_outputs(include_bytecode), *(target for _, target in self._examples())]

    def _examples(self) -> list[tuple[str, str]]:
        folders = sorted(path.parent for path in Path("examples").glob("*/lab.toml"))
        files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
        files += sorted(Path("examples/plans").iterdir())
        hidden = (".", "__")
        shown = [path for path in files if not any(part.startswith(hidden) for part in path.parts)]
        return [(str(path), str(Path(self.build_lib) / "espnow" / path)) for path in shown]


def kernel() -> list[Extension]:
    """Return what is to be compiled."""
    if os.environ.get("ESPNOW_COMPILE") == "0":
        return []
    # With -ffp-contract=off a compiler rounds as Python does, whatever the processor has.
    flags = [] if os.name == "nt" else ["-O3", "-ffp-contract=off"]
    found = Extension("espnow.air.kernel", ["src/espnow/air/kernel.py"], extra_compile_args=flags)
    directives = {"boundscheck": False, "wraparound": False, "cdivision": True, "language_level": 3}
    compiled: list[Extension] = cythonize([found], build_dir="build/cython", compiler_directives=directives, quiet=True)
    for extension in compiled:
        extension.optional = True
    return compiled


setup(cmdclass={"build_py": BuildWithExamples}, ext_modules=kernel())
