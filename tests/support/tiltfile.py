"""The Tiltfile as Tilt reads it: Starlark, with stand-ins for Tilt's functions that note calls.

Owns the evaluation, and which files reach an image: by Tilt's ``only`` and ``ignore``, by the
``.dockerignore`` and by the Dockerfile's ``COPY``.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import starlark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["CONTEXT", "ROOT", "Image", "Loaded", "load_tiltfile"]

ROOT = Path(__file__).parents[2]
CONTEXT = "kind-clickstream"
_FUNCTIONS = (
    "allow_k8s_contexts", "ci_settings", "default_registry", "docker_build", "exec_action",
    "fall_back_on", "link", "local_resource", "probe", "sync", "tcp_socket_action",
    "update_settings", "version_settings",
)  # fmt: skip
_MEMBERS = {
    "config": (
        "define_bool", "define_string", "define_string_list", "set_enabled_resources",
    ),
    "v1alpha1": (
        "cmd", "extension_repo", "start_on_spec", "ui_button", "ui_choice_input_spec",
        "ui_component_location", "ui_input_spec",
    ),
}  # fmt: skip
_EXTENSIONS = {
    "ext://helm_resource": ("helm_resource",),
    "ext://restart_process": ("docker_build_with_restart",),
}
_HEAD = """
TRIGGER_MODE_MANUAL = 'manual'
config = struct(tilt_subcommand={subcommand!r}, main_dir='.', parse=config_parse, {config})
v1alpha1 = struct({v1alpha1})
"""
Call = tuple[str, tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Image:
    """An image that Tilt builds.

    Attributes:
        dockerfile: The Dockerfile's path.
        only: Paths of which the context is; all if empty.
        ignore: Patterns of what is left out of it.
        synced: Folders whose files go into running containers, with where they go.
        falls_back: Files that are not synced but built.
    """

    dockerfile: str
    only: tuple[str, ...]
    ignore: tuple[str, ...]
    synced: Mapping[str, str]
    falls_back: tuple[str, ...]

    def takes(self, path: str) -> bool:
        """Return whether an edit of a file builds this image, or is put into its containers."""
        if path == self.dockerfile:
            return True
        within = not self.only or any(_is_below(path, top) for top in self.only)
        return within and not _is_ignored(path, [*_docker_ignore(), *self.ignore])

    def syncs(self, path: str) -> bool:
        """Return whether an edit of a file is put into running containers."""
        is_synced = any(_is_below(path, folder) for folder in self.synced)
        return self.takes(path) and is_synced and path not in self.falls_back

    def copies(self, path: str) -> bool:
        """Return whether the Dockerfile copies a file."""
        text = (ROOT / self.dockerfile).read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE):
            words = shlex.split(line)
            if not words[0].startswith("--from"):
                sources = [word for word in words if not word.startswith("--")][:-1]
                if any(_is_below(path, source) for source in sources):
                    return True
        return False


@dataclass
class Loaded:
    """What the Tiltfile has called."""

    calls: list[Call] = field(default_factory=list)

    def of(self, function: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        """Return the arguments of each call of a function, in order."""
        return [(row[1], row[2]) for row in self.calls if row[0] == function]

    def resources(self) -> dict[str, dict[str, Any]]:
        """Return each resource by its name: its options, and whose it is."""
        return {
            arguments[0]: {**options, "made_by": name}
            for name, arguments, options in self.calls
            if name in {"helm_resource", "local_resource"}
        }

    def images(self) -> dict[str, Image]:
        """Return each image by the name of its part."""
        return {
            arguments[0].rpartition("/")[2]: _image(name, options)
            for name, arguments, options in self.calls
            if name in {"docker_build", "docker_build_with_restart"}
        }

    def before(self, name: str) -> set[str]:
        """Return all resources that a resource waits for."""
        needs = self.resources()[name].get("resource_deps", [])
        return set(needs).union(*(self.before(row) for row in needs))


def load_tiltfile(
    subcommand: str = "up",
    *,
    context: str = CONTEXT,
    settings: Mapping[str, Any] | None = None,
    text: str | None = None,
) -> Loaded:
    """Evaluate the Tiltfile; return what it has called.

    Args:
        subcommand: ``up``, ``ci`` or ``down``.
        context: The context of kubectl's configuration.
        settings: What follows ``tilt up --``, by name.
        text: What is evaluated instead of the Tiltfile.

    Raises:
        starlark.StarlarkError: It does not parse, calls what Tilt does not have, or fails.
    """
    loaded = Loaded()

    def noting(name: str) -> Callable[..., Any]:
        def note(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401  Starlark's values
            loaded.calls.append((name, arguments, options))
            return [name, *arguments, options]

        return note

    dialect = starlark.Dialect.extended()
    dialect.enable_top_level_stmt = True
    libraries = starlark.Globals.extended_by([starlark.LibraryExtension.StructType])

    def load(name: str) -> starlark.FrozenModule:
        module = starlark.Module()
        for function in _EXTENSIONS[name]:
            module.add_callable(function, noting(function))
        starlark.eval(module, starlark.parse(name, "", dialect), libraries)
        return module.freeze()

    module = starlark.Module()
    for name in _FUNCTIONS:
        module.add_callable(name, noting(name))
    for owner, names in _MEMBERS.items():
        for name in names:
            module.add_callable(f"{owner}_{name}", noting(f"{owner}.{name}"))
    module.add_callable("read_file", lambda path: (ROOT / path).read_text(encoding="utf-8"))
    module.add_callable("k8s_context", lambda: context)
    module.add_callable("config_parse", lambda: dict(settings or {}))
    members = {
        owner: ", ".join(f"{name}={owner}_{name}" for name in names)
        for owner, names in _MEMBERS.items()
    }
    content = text or (ROOT / "Tiltfile").read_text(encoding="utf-8")
    head = _HEAD.format(subcommand=subcommand, **members)
    tree = starlark.parse("Tiltfile", head + content, dialect)
    starlark.eval(module, tree, libraries, starlark.FileLoader(load))
    return loaded


def _image(function: str, options: Mapping[str, Any]) -> Image:
    steps = options.get("live_update", [])
    if function == "docker_build_with_restart":
        (dockerfile,) = (
            str(path.relative_to(ROOT))
            for path in [*ROOT.glob("apps/*/Dockerfile"), ROOT / "operator" / "Dockerfile"]
            if options["dockerfile_contents"].startswith(path.read_text(encoding="utf-8"))
        )
    else:
        dockerfile = options["dockerfile"]
    return Image(
        dockerfile=dockerfile,
        only=tuple(options.get("only", ())),
        ignore=tuple(options.get("ignore", ())),
        synced={step[1]: step[2] for step in steps if step[0] == "sync"},
        falls_back=tuple(path for step in steps if step[0] == "fall_back_on" for path in step[1]),
    )


def _docker_ignore() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _is_below(path: str, top: str) -> bool:
    return path == top or path.startswith(f"{top}/")


def _is_ignored(path: str, patterns: Sequence[str]) -> bool:
    """Return whether a file is left out, as Docker reads the patterns: the last match counts."""
    ignored = False
    for pattern in patterns:
        glob = re.escape(pattern.removeprefix("!")).replace(r"\*\*/", "(?:.*/)?")
        expression = glob.replace(r"\*", "[^/]*")
        if re.fullmatch(f"{expression}(?:/.*)?", path):
            ignored = not pattern.startswith("!")
    return ignored
