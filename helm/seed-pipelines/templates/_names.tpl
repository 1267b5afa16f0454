{{- /* Names, labels and images. Short enough that every suffix of ours still fits into 63 characters. */ -}}

{{- define "seed.fullname" -}}
{{- $name := .Release.Name -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if not (contains .Chart.Name .Release.Name) -}}
{{- $name = printf "%s-%s" .Release.Name .Chart.Name -}}
{{- end -}}
{{- $name | trunc 36 | trimSuffix "-" -}}
{{- end -}}

{{- /* (list $ component): what selectors of Deployments, Services and budgets go by. */ -}}
{{- define "seed.selector" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- /* Network policies go by these, which pods of Dagster's own chart can carry too. */ -}}
{{- define "seed.reach" -}}
seed-pipelines/release: {{ include "seed.fullname" (index . 0) }}
seed-pipelines/component: {{ index . 1 }}
{{- end -}}

{{- define "seed.ownLabels" -}}
{{ include "seed.selector" . }}
{{ include "seed.reach" . }}
app.kubernetes.io/part-of: seed-pipelines
seed-pipelines/environment: {{ (index . 0).Values.environment }}
{{- end -}}

{{- define "seed.labels" -}}
{{ include "seed.ownLabels" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
{{- end -}}

{{- /* (list $ override): the release's image, or the one of a code location. A tag of the override drops the digest. */ -}}
{{- define "seed.image" -}}
{{- $top := index . 0 -}}
{{- $own := index . 1 | default dict -}}
{{- $pin := ternary $own $top.Values.image (not (empty (or $own.digest $own.tag))) -}}
{{- $repository := $own.repository | default $top.Values.image.repository -}}
{{- if $pin.digest -}}
{{ $repository }}@{{ $pin.digest }}
{{- else -}}
{{ $repository }}:{{ $pin.tag | default $top.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* (list $ who): the Secret of the worker, the api, the migrator or dagster (webserver and daemon). */ -}}
{{- define "seed.secretName" -}}
{{- $top := index . 0 -}}
{{- index $top.Values.credentials.secrets (index . 1) | default (printf "%s-%s" (include "seed.fullname" $top) (index . 1)) -}}
{{- end -}}

{{- define "seed.serviceAccountName" -}}
{{ include "seed.fullname" (index . 0) }}-{{ index . 1 }}
{{- end -}}

{{- define "seed.codeName" -}}
{{ include "seed.fullname" (index . 0) }}-code-{{ index . 1 | replace "_" "-" }}
{{- end -}}

{{- define "seed.dagsterUrl" -}}
{{- .Values.api.dagsterUrl | default (printf "http://%s-webserver:%v" (include "seed.fullname" .) .Values.webserver.service.port) -}}
{{- end -}}

{{- /* Argo CD brings up a wave when the one before it is healthy: who is called comes before who calls. */ -}}
{{- define "seed.wave" -}}
argocd.argoproj.io/sync-wave: {{ . | quote }}
{{- end -}}

{{- define "seed.roleBinding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ include "seed.serviceAccountName" . }}
  labels: {{- include "seed.labels" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ include "seed.serviceAccountName" . }}
subjects:
  - kind: ServiceAccount
    name: {{ include "seed.serviceAccountName" . }}
    namespace: {{ (index . 0).Release.Namespace }}
{{- end -}}

{{- /* (list $ component port target) */ -}}
{{- define "seed.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "seed.serviceAccountName" . }}
  labels: {{- include "seed.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  selector: {{- include "seed.selector" . | nindent 4 }}
  ports:
    - name: http
      port: {{ index . 2 }}
      targetPort: http
{{- end -}}
