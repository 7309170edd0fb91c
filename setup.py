"""Puts the examples into the package, from the one place where they are: what pyproject.toml cannot say."""

from pathlib import Path

from setuptools import setup
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


setup(cmdclass={"build_py": BuildWithExamples})
