"""Pods as processes of this machine: a container's command, with the environment of its pod and nothing of ours but
where programs are.

A pod's file system is a folder. Volumes lie in it where they would be mounted, and a variable that names such a place
is given the place in the folder. Images, users and security contexts are not played.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import helm_chart as chart

PROGRAMS = f"{Path(sys.executable).parent}:/usr/bin:/bin"


class Pod:
    """One pod, from its start on."""

    def __init__(self, name, template, *, things, folder, claims, change=lambda word: word):
        self.name, self.template, self._root = name, template, folder
        (container,) = template["spec"]["containers"]
        self._mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
        for mount in container["volumeMounts"]:
            _mount(mount, volumes[mount["name"]], at=self.inside(mount["mountPath"]), things=things, claims=claims)
        self.environment = {"PATH": PROGRAMS} | {
            name: str(self.inside(value)) for name, value in _environment(container, things).items()
        }
        self.log = folder / "log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [change(word) for word in [*container["command"], *container.get("args", [])]],
                cwd=folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def inside(self, text):
        """A path that is mounted, or is below one, as it is on this machine; any other text as it is."""
        if any(text == mount or text.startswith(f"{mount}/") for mount in self._mounts):
            return self._root / "root" / text.lstrip("/")
        return text

    @property
    def phase(self):
        code = self.process.poll()
        return "Running" if code is None else "Succeeded" if code == 0 else "Failed"

    def stop(self):
        """As a kubelet does: it asks, and after the grace period it does not ask any more."""
        self.process.terminate()
        grace = self.template["spec"]["terminationGracePeriodSeconds"]
        timer = threading.Timer(grace, self.kill)
        timer.daemon = True
        timer.start()

    def kill(self):
        """The whole of it, at once: its node is gone, or its memory was used up."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait(10)

    def told(self):
        return self.log.read_text(errors="replace")


def _environment(container, things):
    found = {}
    for source in container["envFrom"]:
        if "configMapRef" in source:
            found |= chart.named(things, "ConfigMap", source["configMapRef"]["name"])["data"]
        else:
            found |= chart.named(things, "Secret", source["secretRef"]["name"])["stringData"]
    return found | {variable["name"]: variable["value"] for variable in container.get("env", [])}


def _mount(mount, volume, *, at, things, claims):
    at.parent.mkdir(parents=True, exist_ok=True)
    if "persistentVolumeClaim" in volume:
        claim = claims / volume["persistentVolumeClaim"]["claimName"]
        claim.mkdir(parents=True, exist_ok=True)
        at.symlink_to(claim)
    elif "configMap" in volume:
        data = chart.named(things, "ConfigMap", volume["configMap"]["name"])["data"]
        if "subPath" in mount:
            at.write_text(data[mount["subPath"]])
        else:
            _config_map(at, data, items=volume["configMap"].get("items"))
    else:
        assert "emptyDir" in volume, volume
        at.mkdir()


def _config_map(folder, data, *, items):
    """As a kubelet lays it out: a generation, a link to it, and a link to each of its entries."""
    generation = folder / "..1"
    generation.mkdir(parents=True)
    for item in items or [{"key": key, "path": key} for key in data]:
        file = generation / item["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(data[item["key"]])
    (folder / "..data").symlink_to("..1")
    for entry in generation.iterdir():
        (folder / entry.name).symlink_to(f"..data/{entry.name}")
