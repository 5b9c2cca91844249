"""The models that a server offers, by name: checked when it starts, each loaded once.

No path comes from a client: it names one of these, or is refused.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from ...errors import BundleError, RequestError
from ...model.bundle import DEFAULT_MODEL, Bundle, find_bundle, list_bundles, load_bundle
from ...model.engine import Engine, load_engine
from ...model.threads import fastest_threads
from ...names import nearest_names
from ...originality.index import PassageIndex, find_index


class Models:
    """Bundles and, from their first use on, their engines, which several threads may use at once."""

    def __init__(self, chosen: Sequence[str | Path] = (), *, threads: int | None = 1) -> None:
        """Check the chosen models, or all that came with the program, and load the first, which is the default.

        Engines run on so many threads, or, where None, each on the number that is measured to be the fastest when it
        is loaded; their notes are the same on any.

        Raises BundleError where one is missing or damaged, where two have one name, or where there is none, CorpusError
        where a model's index is damaged.
        """
        self._bundles: dict[str, Bundle] = {}
        self._indexes: dict[str, PassageIndex | None] = {}
        self._engines: dict[str, Engine] = {}
        self._loading = threading.Lock()
        self._threads = threads
        for name in chosen or sorted(list_bundles(), key=lambda name: name != DEFAULT_MODEL):
            bundle = load_bundle(find_bundle(name).resolve())
            # Naming one folder twice does no harm; two folders of one name cannot be told apart by clients.
            earlier = self._bundles.setdefault(bundle.name, bundle)
            if earlier.path != bundle.path:
                raise BundleError(f"{bundle.path} and {earlier.path} have one name; rename one of the folders")
            self._indexes[bundle.name] = find_index(bundle.index_folder)
        if not self._bundles:
            raise BundleError("no model came with this program; name one or more folders: arietta serve --model FOLDER")
        self.engine(self.default)

    @property
    def names(self) -> list[str]:
        """Every model's name, the default's first."""
        return list(self._bundles)

    @property
    def default(self) -> str:
        """The name of the model that is taken where none is named."""
        return self.names[0]

    def bundle(self, name: str | None = None) -> Bundle:
        """Return a model, the default if none is named; raises RequestError with the nearest names."""
        name = self.default if name is None else name
        if name not in self._bundles:
            raise RequestError(f"there is no model {name!r} here; nearest: {nearest_names(name, self.names)}")
        return self._bundles[name]

    def index(self, name: str) -> PassageIndex | None:
        """Return the index of its training music that a model came with, None if it came without."""
        return self._indexes[name]

    def engine(self, name: str) -> Engine:
        """Return a model's engine, the same one for everyone; the first call loads it."""
        with self._loading:  # two requests at once must not load a model twice
            if name not in self._engines:
                bundle = self.bundle(name)
                self._engines[name] = load_engine(bundle, threads=self._threads or fastest_threads(bundle))
            return self._engines[name]
