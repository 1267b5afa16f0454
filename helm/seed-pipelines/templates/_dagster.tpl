{{- /* dagster.yaml. What the repository's own dagster.yaml says too is compared with it by a test. */ -}}

{{- define "seed.dagsterYaml" -}}
{{- $dagster := .Values.dagster -}}
storage:
  postgres:
    postgres_url:
      env: SEED_DAGSTER_DATABASE_URL

run_coordinator:
  module: dagster._core.run_coordinator
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 2

run_launcher:
  module: dagster_k8s
  class: K8sRunLauncher
  config: {{- include "seed.runLauncher" . | nindent 4 }}

concurrency:
  runs:
    max_concurrent_runs: {{ $dagster.maxConcurrentRuns }}
  pools:
    default_limit: {{ $dagster.poolLimit }}
    granularity: run

run_monitoring:
  enabled: true
  start_timeout_seconds: {{ $dagster.startTimeoutSeconds }}
  cancel_timeout_seconds: 60
  max_runtime_seconds: {{ $dagster.maxRuntimeSeconds }}
  max_resume_run_attempts: 0
  poll_interval_seconds: 10
  free_slots_after_run_end_seconds: 300

run_retries:
  enabled: true
  max_retries: 1
  retry_on_asset_or_op_failure: false

schedules:
  use_threads: true
  num_workers: 4
sensors:
  use_threads: true
  num_workers: 4
backfills:
  use_threads: true
  num_workers: 2

code_servers:
  local_startup_timeout: {{ $dagster.codeServers.startupTimeoutSeconds }}
  reload_timeout: {{ $dagster.codeServers.reloadTimeoutSeconds }}
  wait_for_local_processes_on_shutdown: true

retention:
  schedule:
    purge_after_days: {{- toYaml $dagster.retentionDays | nindent 6 }}
  sensor:
    purge_after_days: {{- toYaml $dagster.retentionDays | nindent 6 }}

# The root file system is read-only.
local_artifact_storage:
  module: dagster._core.storage.root
  class: LocalArtifactStorage
  config:
    base_dir: /tmp/dagster
compute_logs: {{- include "seed.computeLogs" . | nindent 2 }}

telemetry:
  enabled: false
nux:
  enabled: false
{{- end -}}

{{- define "seed.computeLogs" -}}
{{- $logs := .Values.dagster.computeLogs -}}
{{- if $logs.bucket -}}
module: dagster_aws.s3.compute_log_manager
class: S3ComputeLogManager
config:
  bucket: {{ $logs.bucket | quote }}
  prefix: {{ $logs.prefix | quote }}
  local_dir: /tmp/dagster/logs
  skip_empty_files: true
  upload_interval: {{ $logs.uploadIntervalSeconds }}
  {{- with .Values.aws.endpointUrl }}
  endpoint_url: {{ . | quote }}
  {{- end }}
  {{- with .Values.aws.region }}
  region: {{ . | quote }}
  {{- end }}
{{- else -}}
module: dagster._core.storage.noop_compute_log_manager
class: NoOpComputeLogManager
config: {}
{{- end -}}
{{- end -}}

{{- define "seed.runLauncher" -}}
{{- $runs := .Values.runs -}}
load_incluster_config: true
job_namespace: {{ .Release.Namespace }}
job_image: {{ include "seed.image" (list . dict) | quote }}
image_pull_policy: {{ .Values.image.pullPolicy }}
{{- with .Values.image.pullSecrets }}
image_pull_secrets: {{- toYaml . | nindent 2 }}
{{- end }}
service_account_name: {{ include "seed.serviceAccountName" (list . "run") }}
dagster_home: /opt/seed/dagster
instance_config_map: {{ include "seed.fullname" . }}-dagster
env_config_maps: [{{ include "seed.configMapOf" (list . "worker") }}]
{{- if ne .Values.credentials.source "vaultAgent" }}
env_secrets: [{{ include "seed.secretName" (list . "worker") }}]
{{- end }}
labels: {{- include "seed.ownLabels" (list . "run") | nindent 2 }}
resources: {{- toYaml $runs.resources.baseline | nindent 2 }}
security_context: {{- include "seed.containerSecurity" . | nindent 2 }}
volumes: {{- include "seed.commonVolumes" . | nindent 2 }}
  {{- include "seed.workerVolumes" (list . dict) | nindent 2 }}
volume_mounts: {{- include "seed.commonMounts" . | nindent 2 }}
  {{- include "seed.workerMounts" . | nindent 2 }}
# The pod of a failed run fails too, so that Kubernetes shows what Dagster shows.
fail_pod_on_run_failure: true
run_k8s_config: {{- include "seed.runPod" . | nindent 2 }}
# Tags of a run may ask for resources and nodes, and for nothing else: not for an image, a volume or a service account.
only_allow_user_defined_k8s_config_fields:
  container_config:
    resources: true
  pod_spec_config:
    node_selector: true
    tolerations: true
  job_spec_config:
    ttl_seconds_after_finished: true
only_allow_user_defined_env_vars: []
{{- end -}}

{{- define "seed.runPod" -}}
{{- $runs := .Values.runs -}}
{{- $agent := eq .Values.credentials.source "vaultAgent" -}}
container_config:
  # The launcher gives arguments only: an ENTRYPOINT of the image must not see them.
  command: {{ include "seed.command" (list . (list "/usr/bin/env")) }}
pod_template_spec_metadata:
  annotations:
    cluster-autoscaler.kubernetes.io/safe-to-evict: "false"
    {{- if $agent }}{{ include "seed.vaultAgentAnnotations" (list . "worker") | nindent 4 }}{{ end }}
pod_spec_config:
  automount_service_account_token: {{ $agent }}
  enable_service_links: false
  termination_grace_period_seconds: {{ $runs.terminationGracePeriodSeconds }}
  security_context: {{- include "seed.podSecurity" . | nindent 4 }}
  topology_spread_constraints: {{- include "seed.spread" (list . "run") | nindent 4 }}
  {{- with (include "seed.workerInit" .) }}
  init_containers: {{- . | nindent 4 }}
  {{- end }}
  {{- with $runs.nodeSelector }}
  node_selector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $runs.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
job_spec_config:
  ttl_seconds_after_finished: {{ $runs.ttlSecondsAfterFinished }}
{{- end -}}

{{- define "seed.workspaceYaml" -}}
load_from:
{{- range .Values.codeLocations }}
  - grpc_server:
      host: {{ include "seed.codeName" (list $ .name) }}
      port: 3030
      location_name: {{ .name }}
{{- end }}
{{- range .Values.workspace.extra }}
  - grpc_server:
      host: {{ .host }}
      port: {{ .port }}
      location_name: {{ .name }}
{{- end }}
{{- end -}}

{{- /* Whether this release runs Dagster itself, or goes with an installation of Dagster's own chart. */ -}}
{{- define "seed.runsDagster" -}}
{{- if or .Values.webserver.enabled .Values.daemon.enabled -}}true{{- end -}}
{{- end -}}
