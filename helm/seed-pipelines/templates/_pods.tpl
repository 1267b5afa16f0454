{{- /* What every pod of ours is made of, run pods included: hardening, credentials, volumes. */ -}}

{{- define "seed.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.podSecurity.runAsUser }}
runAsGroup: {{ .Values.podSecurity.runAsGroup }}
fsGroup: {{ .Values.podSecurity.fsGroup }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "seed.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- /* Kubernetes writes these names; nothing that is not named here is taken. */ -}}
{{- define "seed.spread" -}}
{{- $top := index . 0 -}}
- maxSkew: {{ $top.Values.topologySpread.maxSkew }}
  topologyKey: {{ $top.Values.topologySpread.topologyKey }}
  whenUnsatisfiable: {{ $top.Values.topologySpread.whenUnsatisfiable }}
  labelSelector:
    matchLabels: {{- include "seed.selector" . | nindent 6 }}
{{- end -}}

{{- /* (list $ who): the environment from ConfigMap and Secret. With the Vault agent the Secret is a file instead. */ -}}
{{- define "seed.configMapOf" -}}
{{- $suffix := get (dict "worker" "env" "api" "api-env" "dagster" "dagster-env" "migrator" "migration") (index . 1) -}}
{{ include "seed.fullname" (index . 0) }}-{{ $suffix }}
{{- end -}}

{{- define "seed.envFrom" -}}
- configMapRef:
    name: {{ include "seed.configMapOf" . }}
{{- if ne (index . 0).Values.credentials.source "vaultAgent" }}
- secretRef:
    name: {{ include "seed.secretName" . }}
{{- end }}
{{- end -}}

{{- define "seed.vaultAgentAnnotations" -}}
{{- $top := index . 0 -}}
{{- $agent := $top.Values.credentials.vaultAgent -}}
{{- $path := index $agent.paths (index . 1) -}}
vault.hashicorp.com/agent-inject: "true"
vault.hashicorp.com/agent-pre-populate-only: "true"
vault.hashicorp.com/role: {{ index $agent.roles (index . 1) | quote }}
vault.hashicorp.com/agent-inject-secret-seed.env: {{ $path | quote }}
vault.hashicorp.com/agent-inject-template-seed.env: |
  {{ printf "{{- with secret %q }}{{ range $name, $value := .Data.data }}" $path }}
  {{ `export {{ $name }}='{{ $value | replaceAll "'" "'\\''" }}'` }}
  {{ `{{- end }}{{ end }}` }}
{{- end -}}

{{- /* The agent leaves a file of exports, and a shell reads it before it becomes the program. */ -}}
{{- define "seed.agentShell" -}}
["/bin/sh", "-c", ". /vault/secrets/seed.env && exec \"$@\"", "seed"]
{{- end -}}

{{- /* (list $ command-line): as a person gives it to `kubectl exec`, which starts no shell. */ -}}
{{- define "seed.shown" -}}
{{- if eq (index . 0).Values.credentials.source "vaultAgent" -}}
/bin/sh -c '. /vault/secrets/seed.env && exec {{ index . 1 }}'
{{- else -}}
{{ index . 1 }}
{{- end -}}
{{- end -}}

{{- /* (list $ program-and-arguments), as a list. */ -}}
{{- define "seed.command" -}}
{{- $words := index . 1 -}}
{{- if eq (index . 0).Values.credentials.source "vaultAgent" -}}
{{- $words = concat (include "seed.agentShell" . | fromJsonArray) $words -}}
{{- end -}}
{{ $words | toJson }}
{{- end -}}

{{- /* Who talks to Vault, S3 and the collector, and reads manifests: workers and the API. */ -}}
{{- define "seed.workerVolumes" -}}
- name: manifests
{{- include "seed.manifestVolume" . | nindent 2 }}
{{- $top := index . 0 }}
- name: files
  configMap:
    name: {{ include "seed.fullname" $top }}-files
- name: home
{{- if $top.Values.home.existingClaim }}
  persistentVolumeClaim:
    claimName: {{ $top.Values.home.existingClaim }}
{{- else }}
  emptyDir:
    sizeLimit: {{ $top.Values.home.sizeLimit }}
{{- end }}
{{- if eq (include "seed.logsInByServiceAccount" $top) "true" }}
- name: vault-token
  projected:
    sources:
      - serviceAccountToken:
          audience: {{ $top.Values.vault.audience }}
          expirationSeconds: 3600
          path: token
{{- end }}
{{- end -}}

{{- define "seed.workerMounts" -}}
- name: manifests
  mountPath: {{ include "seed.manifestMount" . }}
  readOnly: true
- name: files
  mountPath: /etc/seed
  readOnly: true
- name: home
  mountPath: /var/lib/seed
{{- if eq (include "seed.logsInByServiceAccount" .) "true" }}
- name: vault-token
  mountPath: /var/run/secrets/vault
  readOnly: true
{{- end }}
{{- end -}}

{{- define "seed.commonVolumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ .Values.tmpSizeLimit }}
{{- if .Values.caBundle.configMap }}
- name: ca
  configMap:
    name: {{ .Values.caBundle.configMap }}
{{- end }}
{{- end -}}

{{- define "seed.commonMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if .Values.caBundle.configMap }}
- name: ca
  mountPath: /etc/seed-ca
  readOnly: true
{{- end }}
{{- end -}}

{{- define "seed.logsInByServiceAccount" -}}
{{- if and .Values.vault.address (eq .Values.vault.login "kubernetes") -}}true{{- end -}}
{{- end -}}

{{- /*
A pod template. top; component: its labels and service account; who: whose credentials; words: program and arguments;
container: ports, probes and lifecycle; needs: "instance" for DAGSTER_HOME, "worker" for what workers mount;
location: the code location whose manifests it mounts; kubernetesApi: whether it gets a token.
*/ -}}
{{- define "seed.podTemplate" -}}
{{- $top := .top -}}
{{- $agent := eq $top.Values.credentials.source "vaultAgent" -}}
metadata:
  labels: {{- include "seed.labels" (list $top .component) | nindent 4 }}
    {{- with .labels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    checksum/config: {{ include "seed.checksum" (list $top .who) }}
    {{- if $agent }}{{ include "seed.vaultAgentAnnotations" (list $top .who) | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "seed.serviceAccountName" (list $top .component) }}
  automountServiceAccountToken: {{ or .kubernetesApi $agent | default false }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .graceSeconds | default 30 }}
  {{- if .restartPolicy }}
  restartPolicy: {{ .restartPolicy }}
  {{- end }}
  {{- with $top.Values.image.pullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext: {{- include "seed.podSecurity" $top | nindent 4 }}
  {{- with $top.Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $top.Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints: {{- include "seed.spread" (list $top .component) | nindent 4 }}
  {{- with .initContainers }}
  initContainers: {{- . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "seed.image" (list $top .image) | quote }}
      imagePullPolicy: {{ $top.Values.image.pullPolicy }}
      command: {{ include "seed.command" (list $top .words) }}
      envFrom: {{- include "seed.envFrom" (list $top .who) | nindent 8 }}
      {{- with .env }}
      env: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .container }}{{ . | nindent 6 }}{{ end }}
      resources: {{- toYaml .resources | nindent 8 }}
      securityContext: {{- include "seed.containerSecurity" $top | nindent 8 }}
      volumeMounts: {{- include "seed.commonMounts" $top | nindent 8 }}
        {{- if has "instance" .needs }}
        - name: dagster
          mountPath: /opt/seed/dagster
          readOnly: true
        {{- end }}
        {{- if has "worker" .needs }}{{ include "seed.workerMounts" $top | nindent 8 }}{{ end }}
  volumes: {{- include "seed.commonVolumes" $top | nindent 4 }}
    {{- if has "instance" .needs }}
    - name: dagster
      configMap:
        name: {{ .instanceConfigMap | default (printf "%s-dagster" (include "seed.fullname" $top)) }}
    {{- end }}
    {{- if has "worker" .needs }}{{ include "seed.workerVolumes" (list $top .location) | nindent 4 }}{{ end }}
{{- end -}}

{{- /* (list $ who): pods read their configuration at the start, so another one is another pod. Flags are read anew. */ -}}
{{- define "seed.checksum" -}}
{{- $top := index . 0 -}}
{{- if eq (index . 1) "dagster" -}}
{{- printf "%s%s" (include "seed.dagsterYaml" $top) (include "seed.workspaceYaml" $top) | sha256sum -}}
{{- else -}}
{{- $texts := list $top.Values.targetMapping $top.Values.api.access.policy $top.Values.manifests -}}
{{- printf "%s%s" (include "seed.apiEnv" $top) (toJson $texts) | sha256sum -}}
{{- end -}}
{{- end -}}

{{- define "seed.execProbe" -}}
exec:
  command: {{ include "seed.command" . }}
{{- end -}}
