"""The manifests folder: no path leads out of it, and its commit is known."""

import os
import subprocess
import threading

import pytest

from seed_pipelines.errors import ManifestNotFound, PathOutsideManifests
from seed_pipelines.outside.manifest_folder import READ_LIMIT_BYTES, ManifestFolder
from seed_pipelines.outside.text_file import replace_content


@pytest.fixture
def root(tmp_path):
    """A manifests folder, and a secret beside it."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key.yaml").write_bytes(b"secret")
    folder = tmp_path / "manifests"
    for path in ("dev/acme.yaml", "dev/globex.yaml", "staging/acme.yaml"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(path.encode())
    return folder


@pytest.fixture
def config_map(tmp_path):
    """A ConfigMap as Kubernetes mounts it, with its keys at environment/tenant.yaml."""
    mount = tmp_path / "mount"
    (mount / "..2026_11_02_00_00_00.1/dev").mkdir(parents=True)
    (mount / "..2026_11_02_00_00_00.1/dev/acme.yaml").write_bytes(b"one")
    (mount / "..data").symlink_to("..2026_11_02_00_00_00.1")
    (mount / "dev").symlink_to("..data/dev")
    return mount


def test_manifests_are_listed_in_order_and_read(root):
    folder = ManifestFolder(root)
    assert folder.paths() == ("dev/acme.yaml", "dev/globex.yaml", "staging/acme.yaml")
    assert folder.read("dev/acme.yaml") == b"dev/acme.yaml"


def test_a_manifest_that_would_be_passed_over_is_listed_too(root):
    for name in ("stray.yaml", "dev/acme.yml", "dev/team/acme.yaml", "dev/.hidden.yaml", "dev/README.md"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    assert set(ManifestFolder(root).paths()) >= {"stray.yaml", "dev/acme.yml", "dev/team/acme.yaml"}
    assert not {"dev/.hidden.yaml", "dev/README.md"} & set(ManifestFolder(root).paths())


@pytest.mark.parametrize(
    "path",
    [
        "../secret/key.yaml",
        "dev/../../secret/key.yaml",
        "dev/../dev/acme.yaml",
        "./dev/acme.yaml",
        "dev//acme.yaml",
        "dev/acme.yaml/",
        "..data/acme.yaml",
        "dev/acme.yaml\0.txt",
        "dev\\acme.yaml",
        "",
        "/etc/passwd",
    ],
)
def test_a_path_that_could_leave_the_folder_is_refused(root, path):
    with pytest.raises(PathOutsideManifests):
        ManifestFolder(root).read(path)


@pytest.mark.parametrize("path", ["dev/none.yaml", "none/acme.yaml", "dev/acme.yaml/x.yaml", "d" * 300])
def test_a_manifest_that_is_not_there_is_told_so(root, path):
    with pytest.raises(ManifestNotFound):
        ManifestFolder(root).read(path)


@pytest.mark.parametrize("target", ["../../secret/key.yaml", "globex.yaml", "nowhere", "/etc/passwd"])
def test_a_file_that_is_a_link_is_refused_wherever_it_points(root, target):
    (root / "dev/link.yaml").symlink_to(target)
    with pytest.raises(PathOutsideManifests, match="symbolic link"):
        ManifestFolder(root).read("dev/link.yaml")
    assert "dev/link.yaml" in ManifestFolder(root).paths()


def test_a_folder_that_is_a_link_is_refused_and_not_listed_through(root):
    (root / "prod").symlink_to("../secret")
    with pytest.raises(PathOutsideManifests, match="symbolic link"):
        ManifestFolder(root).read("prod/key.yaml")
    assert not [path for path in ManifestFolder(root).paths() if "key" in path]


def test_what_is_no_plain_file_is_refused_without_waiting(root):
    os.mkfifo(root / "dev/pipe.yaml")
    (root / "dev/folder.yaml").mkdir()
    for name in ("dev/pipe.yaml", "dev/folder.yaml"):
        with pytest.raises(PathOutsideManifests, match="not a plain file"):
            ManifestFolder(root).read(name)


def test_only_so_much_is_read(root):
    with (root / "dev/acme.yaml").open("wb") as stream:
        stream.truncate(10 * READ_LIMIT_BYTES)
    assert len(ManifestFolder(root).read("dev/acme.yaml")) == READ_LIMIT_BYTES


def test_a_folder_that_is_not_there_is_told_so(tmp_path):
    with pytest.raises(ManifestNotFound):
        ManifestFolder(tmp_path / "none").paths()


def test_swapping_a_folder_for_a_link_never_reads_the_secret(root):
    """The race that checking first and opening afterwards loses."""
    (root.parent / "secret/acme.yaml").write_bytes(b"secret")
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            (root / "dev").rename(root / "kept")
            (root / "dev").symlink_to("../secret")
            (root / "dev").unlink()
            (root / "kept").rename(root / "dev")

    thread = threading.Thread(target=swap)
    thread.start()
    seen = set()
    try:
        for _ in range(2_000):
            try:
                seen.add(ManifestFolder(root).read("dev/acme.yaml"))
            except (ManifestNotFound, PathOutsideManifests) as refusal:
                seen.add(type(refusal))
    finally:
        stop.set()
        thread.join()
    assert b"secret" not in seen
    assert len(seen) > 1


def test_a_mounted_config_map_is_read_and_its_next_version_too(config_map):
    folder = ManifestFolder(config_map)
    assert folder.paths() == ("dev/acme.yaml",)
    assert folder.read("dev/acme.yaml") == b"one"
    (config_map / "..2026_11_03.2/dev").mkdir(parents=True)
    (config_map / "..2026_11_03.2/dev/acme.yaml").write_bytes(b"two")
    (config_map / "..data_tmp").symlink_to("..2026_11_03.2")
    (config_map / "..data_tmp").rename(config_map / "..data")
    assert folder.read("dev/acme.yaml") == b"two"
    assert folder.git_commit() is None


def test_a_config_map_for_each_environment_is_read(tmp_path):
    mount = tmp_path / "manifests/dev"
    (mount / "..2026_11_02").mkdir(parents=True)
    (mount / "..2026_11_02/acme.yaml").write_bytes(b"one")
    (mount / "..data").symlink_to("..2026_11_02")
    (mount / "acme.yaml").symlink_to("..data/acme.yaml")
    folder = ManifestFolder(tmp_path / "manifests")
    assert folder.paths() == ("dev/acme.yaml",)
    assert folder.read("dev/acme.yaml") == b"one"
    assert folder.git_commit() is None


@pytest.mark.parametrize("data", ["../secret", "..", "../..", "/etc", "dev", "..2026/../../secret", "..loop"])
def test_a_link_that_only_looks_like_a_config_maps_is_refused(root, data):
    (root.parent / "secret/x.yaml").write_bytes(b"secret")
    (root / "..loop").symlink_to("../secret")
    (root / "..data").symlink_to(data)
    (root / "x.yaml").symlink_to("..data/x.yaml")
    with pytest.raises((PathOutsideManifests, ManifestNotFound)):
        ManifestFolder(root).read("x.yaml")


def git(folder, *arguments):
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ("git", *identity, *arguments),
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(root):
    git(root.parent, "init", "-q", "-b", "main")
    git(root.parent, "add", "manifests")
    git(root.parent, "commit", "-q", "-m", "one")
    return root


def test_the_commit_of_a_checkout_is_known(checkout):
    assert ManifestFolder(checkout).git_commit() == git(checkout, "rev-parse", "HEAD")


def test_the_commit_is_known_when_references_are_packed_or_nothing_is_on_a_branch(checkout):
    git(checkout, "pack-refs", "--all")
    assert ManifestFolder(checkout).git_commit() == git(checkout, "rev-parse", "HEAD")
    git(checkout, "checkout", "-q", "--detach")
    assert ManifestFolder(checkout).git_commit() == git(checkout, "rev-parse", "HEAD")


def test_the_commit_of_a_git_sync_link_is_that_of_the_worktree_behind_it(checkout):
    git(checkout, "worktree", "add", "-q", "-b", "side", "../tree")
    (checkout.parent.parent / "tree").exists()
    worktree = next(path for path in (checkout.parent.parent / "tree", checkout.parent / "tree") if path.exists())
    git(worktree, "commit", "-q", "--allow-empty", "-m", "two")
    link = checkout.parent.parent / "current"
    link.symlink_to(worktree)
    folder = ManifestFolder(link / "manifests")
    assert folder.read("dev/acme.yaml") == b"dev/acme.yaml"
    assert folder.git_commit() == git(worktree, "rev-parse", "HEAD") != git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    "head", ["", "ref: ../../secret/key.yaml", "ref: refs/../../secret", "not a commit", "ref: refs/heads/none"]
)
def test_a_broken_checkout_has_no_commit(root, head):
    (root.parent / ".git").mkdir()
    (root.parent / ".git/HEAD").write_text(head)
    assert ManifestFolder(root).git_commit() is None


def test_replacing_a_file_keeps_its_mode_and_follows_its_link(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_bytes(b"old")
    file.chmod(0o640)
    (tmp_path / "link").symlink_to(file)
    replace_content(tmp_path / "link", b"new\r\n")
    assert file.read_bytes() == b"new\r\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yaml", "link"]
