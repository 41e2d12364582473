"""What has to be installed: direct and transitive, with what an index may not have."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bundles
import pytest

from progkit.artifact.bundle import requirements
from progkit.artifact.bundle.capturing import capture
from progkit.artifact.bundle.finding import Finder, Owner
from progkit.artifact.bundle.requirements import Needs, needs


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bundles.Project]:
    with bundles.project(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that packages are installed to."""
    made = tmp_path / "libs" / "site-packages"
    made.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(made))
    return made


def install(
    site: Path, name: str, version: str = "1.0", *, files: Any = None, requires: Any = (), origin: Any = None
) -> None:
    """A distribution as an installer leaves it; *files*: text by path, its modules."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    lines = [f"Requires-Dist: {each}\n" for each in requires]
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{''.join(lines)}")
    for path, text in (files or {}).items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
    (info / "RECORD").write_text("".join(f"{path},,\n" for path in (files or {})))
    if origin is not None:
        (info / "direct_url.json").write_text(origin if isinstance(origin, str) else json.dumps(origin))


def needed(name: str) -> Needs:
    finder = Finder()
    return needs(capture({name: "program"}, finder).foreign, finder)


def versions(found: Needs, direct: bool) -> dict[str, str]:
    return {each["name"]: each["version"] for each in found.dependencies if each["direct"] is direct}


class TestNeeds:
    def test_direct_and_transitive(self, project, site):
        """What the code imports, lazily or not; and what that needs here, with extras and markers."""
        install(
            site,
            "Zeta.Lib",
            "2.1",
            files={"zeta/__init__.py": ""},
            requires=["below[fast]>=1", "never; python_version<'3'", "nowhere", "not a requirement!"],
        )
        install(site, "below", "0.3", files={"below.py": ""}, requires=["faster; extra == 'fast'", "zeta-lib"])
        install(site, "faster", "7", files={"faster.py": ""}, requires=["slow; extra == 'slow'"])
        install(site, "slow", "8", files={"slow.py": ""})
        install(site, "unused", "9", files={"unused.py": ""})
        project.write(desk="def late():\n    import zeta.deep\n")

        found = needed("desk")

        assert versions(found, True).keys() == {"progkit", "zeta-lib"}
        below = versions(found, False)
        assert (below["below"], below["faster"]) == ("0.3", "7")
        assert not {"slow", "unused", "never", "nowhere"} & below.keys()
        text = found.text()
        assert text.startswith(
            f"# What the program itself imports.\nprogkit=={versions(found, True)['progkit']}\nzeta-lib==2.1\n"
        )
        assert "\n\n# What these need.\n" in text
        assert text.endswith("\n")

    def test_what_an_index_may_not_have_is_told_without_its_place(self, project, site):
        """Local versions, repositories, directories, files: no URL and no path is written anywhere."""
        url = "file:///home/somebody/secret"
        install(site, "local", "1.0+cu121", files={"local.py": ""})
        install(site, "cloned", files={"cloned.py": ""}, origin={"url": url, "vcs_info": {"vcs": "git"}})
        install(site, "copied", files={"copied.py": ""}, origin={"url": url, "dir_info": {}})
        install(site, "packed", files={"packed.py": ""}, origin={"url": url, "archive_info": {}})
        install(site, "broken", files={"broken.py": ""}, origin="{")
        install(site, "strange", files={"strange.py": ""}, origin="[]")
        project.write(desk="import broken, cloned, copied, local, packed, strange")

        found = needed("desk")

        assert [each for each in found.notes if "index" in each] == [
            "cloned 1.0 was installed from a repository: an index may have other code under this version",
            "copied 1.0 was installed from a directory: an index may not have it",
            "local 1.0+cu121 is a local version: an index may not have it",
            "packed 1.0 was installed from a file: an index may not have it",
        ]
        assert "local==1.0+cu121" in found.text()
        assert "somebody" not in found.text() + "".join(found.notes)

    def test_a_project_installed_to_be_edited_is_the_users_own(self, project, site):
        """Its version does not say what it holds: it travels as source, and is no requirement."""
        install(
            site, "desk-project", "3", files={"_desk.pth": str(project.root)}, origin={"dir_info": {"editable": True}}
        )
        project.write(desk="")

        assert Finder().owner("desk") is Owner.OWN
        assert versions(needed("desk"), True).keys() == {"progkit"}

    def test_a_work_tree_that_describes_itself_is_the_users_own(self, project):
        """As ``setup.py develop`` leaves it."""
        info = project.root / "desk.egg-info"
        info.mkdir()
        (info / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: desk\nVersion: 1\n")
        (info / "top_level.txt").write_text("desk\n")
        project.write(desk="")

        assert Finder().owner("desk") is Owner.OWN

    def test_parts_of_one_namespace(self, project, site):
        """The file says which distribution a module is of."""
        install(site, "space-one", files={"space/one.py": ""})
        install(site, "space-two", files={"space/two.py": ""})
        project.write(desk="import space.two")

        assert versions(needed("desk"), True).keys() == {"progkit", "space-two"}

    def test_a_module_that_no_distribution_lists(self, project, site):
        """It lies among what is installed, and is nobody's: it travels."""
        (site / "loose.py").write_text("")
        project.write(desk="import loose")

        assert sorted(capture({"desk": "program"}, Finder()).sources) == ["desk", "loose"]

    def test_progkit_from_a_work_tree(self, monkeypatch, project):
        """Its version is known, installed or not."""
        monkeypatch.setattr(requirements, "_installed", lambda name: None)
        project.write(desk="")

        found = needed("desk")
        assert [each["name"] for each in found.dependencies] == ["progkit"]
        assert found.notes == []
        assert sys.modules["progkit"].__version__ == found.dependencies[0]["version"]
