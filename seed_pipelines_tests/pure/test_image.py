"""The Dockerfile without an engine: what it takes, pins and runs, held against the project and the chart."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import helm_chart as chart
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/build-the-image.md").read_text()
VALUES = yaml.safe_load((chart.CHART / "values.yaml").read_text())
# Of the base image, or of git-sync's own.
OF_OTHERS = {"/bin/sh", "/usr/bin/env"}


def instructions():
    """(instruction, rest) of each, with lines joined and comments left out."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def stages():
    """The instructions of each stage, by its name."""
    found, name = {"": []}, ""
    for instruction, rest in instructions():
        if instruction == "FROM":
            name = rest.split(" AS ")[1]
            found[name] = []
        found[name].append((instruction, rest))
    return found


def rests(stage, instruction):
    return [rest for found, rest in stages()[stage] if found == instruction]


def copied(stage):
    """Paths of the repository that a stage takes."""
    words = [shlex.split(rest) for rest in rests(stage, "COPY") if "--from" not in rest]
    return {source for *sources, _ in words for source in sources}


def variables(stage):
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(rests(stage, "ENV"))))


def test_there_is_one_base_and_it_is_pinned_by_its_digest():
    (base,) = (rest for rest in rests("base", "FROM"))
    assert re.fullmatch(r"\$\{MIRROR\}python:3\.11-slim-bookworm@sha256:[0-9a-f]{64} AS base", base)
    assert [rests(stage, "FROM")[0].split()[0] for stage in ("build", "runtime")] == ["base", "base"]
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert python == ">=3.11"


def test_everything_that_is_installed_is_in_the_lock_with_its_hash():
    first, ours = (run for run in rests("build", "RUN") if " install " in run)
    assert {"--require-hashes", "--only-binary", "--no-cache-dir"} <= set(first.split())
    assert {"--no-deps", "--no-build-isolation", "--no-cache-dir"} <= set(ours.split())
    assert not re.search(r"\b(apt|apt-get|curl|wget)\b", " ".join(rest for _, rest in instructions()))


def test_it_ends_as_a_user_that_is_a_number_and_the_charts():
    (user,) = rests("runtime", "USER")
    security = VALUES["podSecurity"]
    assert user == f"{security['runAsUser']}:{security['runAsGroup']}"
    written = [number for number, (what, _) in enumerate(stages()["runtime"]) if what in ("RUN", "COPY")]
    assert max(written) < [what for what, _ in stages()["runtime"]].index("USER")


def test_nothing_of_ours_belongs_to_that_user_but_where_it_works():
    assert not [rest for rest in rests("runtime", "COPY") if "--chown" in rest]
    (run,) = rests("runtime", "RUN")
    assert re.findall(r"chown \S+ (\S+)", run) == [variables("runtime")["SEED_HOME"]]


def test_no_secret_and_no_day_is_written_into_it():
    text = (ROOT / "Dockerfile").read_text()
    assert not re.search(r"(PASSWORD|TOKEN|SECRET|DATABASE_URL)", text)
    assert not re.search(
        r"\b(date|useradd|adduser)\b", " ".join(rest for what, rest in instructions() if what == "RUN")
    )


def test_its_version_is_the_projects():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"VERSION={project['version']}" in rests("runtime", "ARG")


def test_the_context_holds_what_is_copied_and_nothing_else():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line[0] == "!"} == copied("build") | copied("runtime")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Ours, made of what is copied, as the build makes it."""
    folder = tmp_path_factory.mktemp("context")
    for path in copied("build"):
        copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
        copy(ROOT / path, folder / path)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, folder]
    subprocess.run(command, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


def test_what_is_copied_is_all_that_the_package_needs(wheel, tmp_path):
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "seed_pipelines"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    with zipfile.ZipFile(wheel) as archive:
        assert set(tracked.stdout.split()) <= set(archive.namelist())
        archive.extractall(tmp_path)
    environment = {
        "PYTHONPATH": str(tmp_path),
        "PATH": os.environ["PATH"],
        "SEED_MANIFESTS_DIR": str(ROOT / "manifests"),
    }
    program = "import seed_pipelines, seed_pipelines.cli.main as cli; print(seed_pipelines.__file__); cli.main()"
    command = [sys.executable, "-c", program, "manifest", "check"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(str(tmp_path))


def test_compiled_twice_it_is_the_same_bytes(wheel, tmp_path):
    """As the build does it: bytecode that holds no time, and that no start looks after."""
    (line,) = (run for run in rests("build", "RUN") if "compileall" in run)
    options = line.partition("-m compileall ")[2].split()[:-1]
    made = []
    for turn in ("first", "second"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tmp_path / turn)
        command = [sys.executable, "-m", "compileall", *options, "-s", tmp_path / turn, "seed_pipelines/generate"]
        subprocess.run(command, cwd=tmp_path / turn, env={"PYTHONHASHSEED": "0"}, check=True)
        made.append({file.name: file.read_bytes() for file in (tmp_path / turn).rglob("*.pyc")})
    assert made[0]
    assert made[0] == made[1]


def programs_of_the_chart():
    """Everything that a pod starts from this image."""
    found = set()
    for name in chart.VALUE_SETS:
        things = chart.render(chart.value_set(name))
        for _, template in chart.pod_templates(things):
            found |= {tuple(container["command"]) for container in chart.containers(template) if "command" in container}
            found |= {
                tuple(container[probe]["exec"]["command"])
                for container in chart.containers(template)
                for probe in ("startupProbe", "livenessProbe", "readinessProbe")
                if "exec" in container.get(probe, {})
            }
    return found


def test_every_program_that_the_chart_starts_is_installed():
    programs = {
        word for command in programs_of_the_chart() for word in command if re.match(r"/|dagster|seed-data", word)
    }
    named = {word for word in programs if not word.startswith("/") and word in command_heads()}
    assert named == {"dagster", "dagster-daemon", "dagster-webserver", "seed-data"}
    for program in named:
        assert shutil.which(program, path=str(Path(sys.executable).parent)), program
    heads = {command[0] for command in programs_of_the_chart()}
    assert heads <= named | OF_OTHERS


def command_heads():
    """The program of each command, behind the Vault agent's shell too."""
    return {command[4] if command[0] == "/bin/sh" else command[0] for command in programs_of_the_chart()}


def test_the_folders_of_the_image_are_those_of_the_chart():
    image = variables("runtime")
    assert image["SEED_MANIFESTS_DIR"] == VALUES["manifests"]["image"]["folder"]
    (mounts,) = (
        {mount["mountPath"] for mount in container["volumeMounts"]}
        for name, template in chart.pod_templates(chart.render(chart.value_set("minimal-dev")))
        for container in template["spec"]["containers"]
        if name == "seed-seed-pipelines-code-seed-pipelines"
    )
    assert {image["SEED_HOME"], image["HOME"], "/opt/seed/dagster"} <= mounts
    # A mount over a folder hides it.
    assert not [mount for mount in mounts if "/app".startswith(mount) or mount.startswith("/app")]


def test_its_health_is_that_of_the_command_it_starts_with():
    (command,), (check,) = rests("runtime", "CMD"), rests("runtime", "HEALTHCHECK")
    api = chart.named(chart.render(chart.value_set("minimal-dev")), "Deployment", "seed-seed-pipelines-api")
    (container,) = api["spec"]["template"]["spec"]["containers"]
    assert yaml.safe_load(command) == container["command"]
    probe = container["livenessProbe"]["httpGet"]
    port = container["ports"][0]["containerPort"]
    assert f"http://127.0.0.1:{port}{probe['path']}'" in check
    assert rests("runtime", "EXPOSE") == [str(port)]


def test_the_page_says_what_is_pinned():
    digest = re.search(r"sha256:[0-9a-f]{64}", (ROOT / "Dockerfile").read_text())[0]
    assert digest in PAGE
    assert set(re.findall(r"--build-arg (\w+)=", PAGE)) == {"SOURCE_DATE_EPOCH", "VERSION", "REVISION"}
