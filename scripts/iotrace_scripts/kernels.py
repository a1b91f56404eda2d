"""Kernel folders in the cache: vmlinuz, vmlinux, modules/, debug/, config, release, modules.dep.

A folder is taken from Debian's packages, unpacked and never installed. Another version is one more
line in KERNELS.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Sequence

from . import built, decompress, modules
from .apt import PrivateApt, deb_members, newest
from .cache import cache_root, entry, fingerprint
from .say import Problem, say


@dataclass(frozen=True)
class DebianKernel:
    """Where a kernel's packages come from."""

    suites: tuple[str, ...]  # the newest of the series in any of them that can be had
    series: str  # what its version begins with
    meta: str = "linux-image-amd64"  # depends on the image of the suite's present version


KERNELS = {
    "debian-5.10": DebianKernel(("bullseye", "bullseye-security"), "5.10."),
    "debian-6.1": DebianKernel(("bookworm",), "6.1."),
    "debian-6.1-rt": DebianKernel(("bookworm",), "6.1.", "linux-image-rt-amd64"),
    "debian-6.12": DebianKernel(("trixie", "bookworm-backports"), "6.12."),
    "debian-7.x": DebianKernel(("trixie-backports", "sid"), "7."),
}
KIND = "kernels"  # of the cache
RECIPE = "1"  # changes when the contents of a kernel folder do


def names() -> list[str]:
    """The kernels known by name."""
    return [*KERNELS, *built.KERNELS]


def kernel(name: str, bare: bool = False, patches: Sequence[Path] = ()) -> Path:
    """The folder of a kernel by name, made if it is not there; or the user's own folder."""
    if "/" in name or Path(name).is_dir():
        return own_folder(Path(name))
    if name in built.KERNELS:
        if bare:
            raise Problem(f"--bare is for Debian's images: {name} is built with debug information")
        return built.kernel(name, patches)
    if name not in KERNELS:
        raise Problem(f"unknown kernel '{name}': expected one of {', '.join(names())}, or the path of a directory of "
                      "your own")
    if patches:
        raise Problem(f"{name} is a Debian package: only {', '.join(built.KERNELS)} takes --patch")
    recipe = KERNELS[name]
    key = fingerprint(RECIPE, *recipe.suites, recipe.meta, *modules.wanted())
    full = f"{name}{'-bare' if bare else ''}-{key}"
    return entry(KIND, full, lambda folder: _unpack(recipe, bare, folder))


def with_modules(folder: Path, names: Sequence[str]) -> Path:
    """The folder of a kernel with further modules, and what they need: a folder that has them, as such, or one of Debian's, of which
    another is made, with the same files and those modules without debug information."""
    wanted = sorted({modules.plain(name) for name in names})
    has = {*modules.files_of(folder), *modules.builtin(folder)}
    if has.issuperset(wanted):
        return folder
    recipe = next((KERNELS[name] for name in sorted(KERNELS, key=len, reverse=True) if folder.name.startswith(f"{name}-")), None)
    if folder.parent != cache_root() / KIND or recipe is None:
        raise Problem(f"{folder / 'modules'} lacks {', '.join(sorted(set(wanted) - has))}")
    return entry(KIND, f"{folder.name}-{fingerprint(*wanted)}", lambda made: _add_modules(recipe, folder, wanted, made))


def _add_modules(recipe: DebianKernel, base: Path, wanted: Sequence[str], folder: Path) -> None:
    release = (base / "release").read_text().strip()
    apt = newest(recipe.suites, recipe.meta, recipe.series)
    packages = _packages(apt, recipe)
    if packages[0] != f"linux-image-{release}":
        raise Problem(f"Debian's archive has {packages[0]}, and {base} is {release}: delete that directory, which gets the present one")
    say(f"extracting {packages[0]}: {', '.join(wanted)}")
    whole = folder / "whole"
    whole.mkdir()
    _unpack_image(apt, packages, release, whole)
    if (whole / "vmlinuz").read_bytes() != (base / "vmlinuz").read_bytes():
        raise Problem(f"Debian's archive has another build of {release} than {base}: delete that directory, which gets the present one")
    shutil.copytree(base, folder, copy_function=os.link, dirs_exist_ok=True)
    more = modules.Dependencies.scan(whole, (whole / "modules").glob("*.ko")).order(wanted)
    files = modules.files_of(whole)
    for name in more:
        if not (folder / "modules" / files[name].name).exists():
            files[name].rename(folder / "modules" / files[name].name)
    shutil.rmtree(whole)
    (folder / "modules.dep").unlink()
    modules.write_dependencies(folder)


def of_release(release: str) -> str:
    """The name of Debian's kernel of this release, if its archive has it now; empty if it has not."""
    for name, recipe in KERNELS.items():
        if not release.startswith(recipe.series):
            continue
        apt = newest(recipe.suites, recipe.meta, recipe.series)
        if f"linux-image-{release}" in apt.depends(recipe.meta):
            return name
    return ""


def own_folder(folder: Path) -> Path:
    """A folder of the user's own, after a look at what is in it."""
    missing = [name for name in ("vmlinuz", "vmlinux") if not (folder / name).is_file()]
    missing += [] if (folder / "modules").is_dir() else ["modules/"]
    if missing:
        raise Problem(f"kernel folder {folder} lacks {', '.join(missing)}: it needs vmlinuz (the boot image), "
                      "vmlinux (the ELF file it was made from) and modules/ (*.ko), and modules.builtin "
                      "(from /lib/modules/RELEASE or the build directory) if a driver or a file system is built in")
    return folder.resolve()


def _unpack(recipe: DebianKernel, bare: bool, folder: Path) -> None:
    apt = newest(recipe.suites, recipe.meta, recipe.series)
    packages = _packages(apt, recipe)
    image = packages[0]
    release = image.removeprefix("linux-image-")
    say(f"extracting {image}: boot image, configuration, modules")
    _unpack_image(apt, packages, release, folder)
    wanted = modules.keep_needed(folder)
    if bare:
        decompress.elf_from_bzimage(folder / "vmlinuz", folder / "vmlinux")
        return
    versions = {package: apt.show(package)["Version"] for package in (image, f"{image}-dbg")}
    if len(set(versions.values())) != 1:
        raise Problem(f"versions of image and debug symbols differ ({versions}); try again later")
    deb = apt.download(f"{image}-dbg", folder)
    say("extracting vmlinux and the debug information of the modules")
    _unpack_debug(deb, release, wanted, folder)
    deb.unlink()


def _packages(apt: PrivateApt, recipe: DebianKernel) -> list[str]:
    """The packages of the present image, itself the first."""
    image = next(name for name in apt.depends(recipe.meta) if name.startswith("linux-image-"))
    release = image.removeprefix("linux-image-")
    # the files of newer images are in packages of their own
    parts = [f"linux-{part}-{release}" for part in ("base", "binary", "modules")]
    return [image, *(name for name in apt.depends(image) if name in parts)]


def _unpack_image(apt: PrivateApt, packages: Sequence[str], release: str, folder: Path) -> None:
    """Fetch packages and unpack boot image, configuration and modules."""
    (folder / "release").write_text(release + "\n")
    (folder / "modules").mkdir()
    top_files = {f"boot/{name}-{release}": name for name in ("vmlinuz", "config")}
    top_files |= {f"lib/modules/{release}/{name}": name for name in ("vmlinuz", "config")}
    for package in packages:
        deb = apt.download(package, folder)
        for member, data in deb_members(deb):
            path = member.name.removeprefix("./").removeprefix("usr/")
            if data is None:
                continue
            if path in top_files:
                _write(data, folder / top_files[path])
            elif path.startswith(f"lib/modules/{release}/modules."):
                _write(data, folder / Path(path).name)
            elif ".ko" in path:
                _write(data, folder / "modules" / Path(path).name)
        deb.unlink()
    if not (folder / "vmlinuz").exists():
        raise Problem(f"{' and '.join(packages)} have no boot image of {release}")
    decompress.modules_in_place((folder / "modules").glob("*.ko.*"))


def _unpack_debug(deb: Path, release: str, wanted: Sequence[str], folder: Path) -> None:
    (folder / "debug").mkdir()
    root = f"lib/modules/{release}/"
    for member, data in deb_members(deb):
        path = member.name.removeprefix("./usr/lib/debug/").removeprefix("usr/")
        if data is None:
            continue
        if path in (f"boot/vmlinux-{release}", f"{root}vmlinux"):
            _write(data, folder / "vmlinux")
        elif path.startswith(root) and ".ko" in path and modules.of_file(path) in wanted:
            _write(data, folder / "debug" / Path(path).name.removesuffix(".debug"))
    if not (folder / "vmlinux").exists():
        raise Problem(f"{deb.name} has no vmlinux-{release}")


def _write(data: IO[bytes], path: Path) -> None:
    with open(path, "wb") as out:
        shutil.copyfileobj(data, out, 1 << 20)
