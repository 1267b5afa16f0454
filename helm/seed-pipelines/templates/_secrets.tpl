{{- define "seed.plainSecret" -}}
apiVersion: v1
kind: Secret
metadata:
  name: {{ include "seed.secretName" . }}
  labels: {{- include "seed.labels" (list (index . 0) "config") | nindent 4 }}
  annotations:
    {{- if eq (index . 1) "migrator" }}{{ include "seed.hookBefore" . | nindent 4 }}{{ end }}
    {{ include "seed.wave" "-1" }}
type: Opaque
stringData: {{- toYaml (index (index . 0).Values.credentials.plain (index . 1)) | nindent 2 }}
{{- end -}}

{{- define "seed.externalSecret" -}}
{{- $external := (index . 0).Values.credentials.externalSecret -}}
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: {{ include "seed.secretName" . }}
  labels: {{- include "seed.labels" (list (index . 0) "config") | nindent 4 }}
  annotations:
    {{- if eq (index . 1) "migrator" }}{{ include "seed.hookBefore" . | nindent 4 }}{{ end }}
    {{ include "seed.wave" "-1" }}
spec:
  refreshInterval: {{ $external.refreshInterval }}
  secretStoreRef:
    kind: {{ $external.storeKind }}
    name: {{ $external.storeName }}
  target:
    name: {{ include "seed.secretName" . }}
    creationPolicy: Owner
  dataFrom:
    - extract:
        key: {{ index $external.keys (index . 1) | quote }}
{{- end -}}

{{- /* What the migration needs, there before it; Argo CD reads these as PreSync. */ -}}
{{- define "seed.hookBefore" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: "-10"
helm.sh/hook-delete-policy: before-hook-creation
{{- end -}}
