"""The part of a Kubernetes API that Dagster's launcher calls, on the loopback: a Job becomes a pod, which is a process.

A token is the name of a service account here. It may do what the Roles among the rendered objects say, and is answered
with 403 otherwise, as by Kubernetes.
"""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import helm_chart as chart
from pods import Pod

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>\w+))/v1/namespaces/[\w-]+/(?P<resource>\w+)(?:/(?P<name>[\w.-]+)(?:/(?P<part>\w+))?)?"
)
_VERBS = {("GET", True): "get", ("GET", False): "list", ("POST", False): "create", ("DELETE", True): "delete"}


class KubernetesApi:
    """Jobs and their pods, in one namespace."""

    def __init__(self, things, *, folder):
        self.things, self.jobs, self.pods, self.refused = things, {}, {}, []
        self._folder, self._lock = folder, threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def kubeconfig(self, account):
        """The way here, for a service account."""
        server = f"http://127.0.0.1:{self._server.server_port}"
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "it", "cluster": {"server": server}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": account}}],
            "current-context": "it",
            "users": [{"name": account, "user": {"token": account}}],
        }

    def start(self, name, template, **options):
        """A pod; what belongs to a claim outlives it."""
        folder = self._folder / name
        folder.mkdir()
        self.pods[name] = Pod(
            name, template, things=self.things, folder=folder, claims=self._folder / "claims", **options
        )
        return self.pods[name]

    def pod_of(self, run_id):
        """The pod of a Dagster run, by its label."""
        (pod,) = (
            pod for pod in self.pods.values() if pod.template["metadata"]["labels"].get("dagster/run-id") == run_id
        )
        return pod

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for pod in self.pods.values():
            pod.kill()

    def _answer(self, method, target, *, account, body):
        url = urlsplit(target)
        found = _PATH.fullmatch(url.path)
        resource = "/".join(filter(None, (found["resource"], found["part"])))
        verb = _VERBS[method, found["name"] is not None]
        if not self._may(account, found["group"] or "", resource, verb):
            self.refused.append((account, resource, verb))
            return _status(403, f"{account} may not {verb} {resource}")
        act = {
            "create jobs": lambda: self._create(body),
            "get jobs/status": lambda: self._job(found["name"]),
            "delete jobs": lambda: self._delete(found["name"]),
            "list pods": lambda: self._list(parse_qs(url.query)),
            "delete pods": lambda: self._stop(found["name"]),
            "get pods/log": lambda: (200, self.pods[found["name"]].told()),
            "list events": lambda: (200, {"kind": "EventList", "apiVersion": "v1", "items": []}),
        }
        with self._lock:
            return act[f"{verb} {resource}"]()

    def _may(self, account, group, resource, verb):
        roles = {
            binding["roleRef"]["name"]
            for binding in chart.of_kind(self.things, "RoleBinding")
            if account in [subject["name"] for subject in binding["subjects"]]
        }
        return any(
            group in rule["apiGroups"] and resource in rule["resources"] and verb in rule["verbs"]
            for role in roles
            for rule in chart.named(self.things, "Role", role)["rules"]
        )

    def _create(self, job):
        chart.validate(job)
        name = job["metadata"]["name"]
        if name in self.jobs:
            return _status(409, f"{name} is there already")
        self.jobs[name] = job
        self.start(name, job["spec"]["template"])
        return 201, job

    def _job(self, name):
        if name not in self.jobs:
            return _status(404, f"there is no {name}")
        counted = {"Running": "active", "Succeeded": "succeeded", "Failed": "failed"}[self.pods[name].phase]
        return 200, self.jobs[name] | {"status": {counted: 1}}

    def _delete(self, name):
        if self.jobs.pop(name, None) is None:
            return _status(404, f"there is no {name}")
        return _status(200, "deleted")

    def _list(self, query):
        (selector,) = query.get("labelSelector", query.get("fieldSelector"))
        wanted = selector.partition("=")[2]
        pods = [_object(pod) for name, pod in self.pods.items() if name == wanted]
        return 200, {"kind": "PodList", "apiVersion": "v1", "items": pods}

    def _stop(self, name):
        self.pods[name].stop()
        return 200, _object(self.pods[name])

    def _handler(api):  # `self` is the handler inside.
        class Handler(BaseHTTPRequestHandler):
            def _serve(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                account = self.headers.get("authorization", "").removeprefix("Bearer ")
                status, found = api._answer(
                    self.command, self.path, account=account, body=json.loads(body) if body else None
                )
                content = (found if isinstance(found, str) else json.dumps(found)).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain" if isinstance(found, str) else "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = _serve

            def log_message(self, *_):
                """Tests read the server, not its log."""

        return Handler


def _object(pod):
    return pod.template | {
        "metadata": pod.template["metadata"] | {"name": pod.name},
        "status": {"phase": pod.phase},
    }


def _status(code, message):
    return code, {"kind": "Status", "apiVersion": "v1", "code": code, "message": message}
