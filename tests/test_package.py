"""The package as a whole: versions, pins, licence, and that it depends on no one's machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import kgfm

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
REQUIREMENTS = sorted(
    {
        text
        for group in (PROJECT["project"]["dependencies"], *EXTRAS.values())
        for text in group
        if not text.startswith("kgfm[")
    }
)


def pins() -> dict[str, str]:
    found = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            found[canonicalize_name(name)] = version
    return found


def files_of_the_project() -> Iterator[Path]:
    """What git would carry: tracked files and new ones that it does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            yield ROOT / name


def test_the_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    top = re.search(r"^## \[(.+?)\]", text, flags=re.MULTILINE)
    assert top is not None
    assert top[1] == kgfm.__version__


def test_the_two_license_lines_agree() -> None:
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License\n" in (ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", REQUIREMENTS)
def test_a_requirement_has_a_lower_bound_and_a_pin_within_its_range(text: str) -> None:
    requirement = Requirement(text)
    assert ">=" in text
    pinned = pins().get(canonicalize_name(requirement.name))
    assert pinned is not None, f"constraints.txt does not pin {requirement.name}."
    assert pinned in requirement.specifier


def test_pins_are_exact_public_versions() -> None:
    for name, version in pins().items():
        assert re.fullmatch(r"[0-9][0-9a-z.]*", version), f"{name}=={version}"


def test_nothing_of_cuda_is_pinned() -> None:
    assert not [name for name in pins() if name.startswith(("nvidia", "cuda", "triton"))]


# 75 MB compiled, and no test needs it: what kgfm does without it is tested.
NOT_IN_DEV = {"ray"}


def test_dev_brings_every_other_extra() -> None:
    everything = next(text for text in EXTRAS["dev"] if text.startswith("kgfm["))
    assert Requirement(everything).extras == set(EXTRAS) - {"dev"} - NOT_IN_DEV


def test_the_makefile_has_the_promised_targets() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test", "check", "notebooks", "bench"):
        assert re.search(rf"^{target}:", text, flags=re.MULTILINE), target


def test_only_the_ci_script_knows_what_lies_beside_the_checkout() -> None:
    beside = "../" + "shared"
    for path in files_of_the_project():
        if path != ROOT / ".ci" / "run" and path.suffix not in {".npy", ".png", ".gz"}:
            assert beside not in path.read_text(encoding="utf-8", errors="replace"), path
