"""The run pods of a dagster.yaml: what K8sRunLauncher would ask Kubernetes for, without any Kubernetes."""

import kubernetes
import yaml
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef
from dagster._core.origin import DEFAULT_DAGSTER_ENTRY_POINT, JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.storage.dagster_run import DagsterRun
from dagster._grpc.types import ExecuteRunArgs
from dagster_k8s.job import construct_dagster_k8s_job, get_job_name_from_run_id

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:9"}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "nobody"}}],
    "current-context": "none",
    "users": [{"name": "nobody", "user": {}}],
}


def instance_ref(dagster_yaml, folder, *, kubeconfig=KUBECONFIG):
    """Dagster's reading of the text, with another way to Kubernetes: there is no service account here."""
    settings = yaml.safe_load(dagster_yaml)
    (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    way = {"load_incluster_config": False, "kubeconfig_file": str(folder / "kubeconfig")}
    settings["run_launcher"]["config"] |= way
    (folder / "dagster.yaml").write_text(yaml.safe_dump(settings))
    dagster_instance_config(str(folder))
    return InstanceRef.from_dir(str(folder))


def a_run(*, job="seed__dev__acme", image=None, container_context=None, tags=None):
    """A run as a code location of that image would have it."""
    repository = RepositoryPythonOrigin(
        executable_path="python",
        code_pointer=ModuleCodePointer("seed_pipelines.definitions", "defs"),
        container_image=image,
        entry_point=DEFAULT_DAGSTER_ENTRY_POINT,
        container_context=container_context,
    )
    origin = JobPythonOrigin(job, repository)
    return DagsterRun(job_name=job, run_id="3f0c1d5e-0000-4000-8000-000000000001", tags=tags, job_code_origin=origin)


def run_job(ref, run):
    """The Job of a run, as JSON that Kubernetes would be sent; raises where the launcher's allow-list refuses."""
    launcher = ref.run_launcher
    context = launcher.get_container_context_for_run(run)
    arguments = ExecuteRunArgs(
        job_origin=run.job_code_origin, run_id=run.run_id, instance_ref=ref, set_exit_code_on_failure=True
    ).get_command_args()
    image = run.job_code_origin.repository_origin.container_image
    job = construct_dagster_k8s_job(
        job_config=context.get_k8s_job_config(job_image=image, run_launcher=launcher),
        args=arguments,
        job_name=get_job_name_from_run_id(run.run_id),
        pod_name=get_job_name_from_run_id(run.run_id),
        component="run_worker",
        user_defined_k8s_config=context.run_k8s_config,
        env_vars=[{"name": "DAGSTER_RUN_JOB_NAME", "value": run.job_name}],
    )
    return kubernetes.client.ApiClient().sanitize_for_serialization(job)
