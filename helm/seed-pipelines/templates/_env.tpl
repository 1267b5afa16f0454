{{- /* The environment of our programs: the names are those of docs/reference/settings.md. No secret is here. */ -}}

{{- define "seed.plainEnv" -}}
HOME: /tmp
{{- with .Values.aws.region }}
AWS_DEFAULT_REGION: {{ . | quote }}
{{- end }}
{{- with .Values.aws.endpointUrl }}
AWS_ENDPOINT_URL_S3: {{ . | quote }}
{{- end }}
{{- if .Values.caBundle.configMap }}
AWS_CA_BUNDLE: /etc/seed-ca/{{ .Values.caBundle.key }}
{{- end }}
{{- end -}}

{{- define "seed.env" -}}
{{ include "seed.plainEnv" . }}
SEED_ENVIRONMENT: {{ .Values.environment | quote }}
SEED_HOME: /var/lib/seed
SEED_MANIFESTS_DIR: {{ include "seed.manifestFolder" . | quote }}
SEED_LOG: json
SEED_LEASE_SECONDS: {{ .Values.leaseSeconds | quote }}
{{- if .Values.canaryRequired }}
SEED_CANARY_REQUIRED: "true"
{{- end }}
SEED_RUN_RESOURCES: {{ .Values.runs.resources | toJson | quote }}
{{- with .Values.worm.url }}
SEED_WORM_URL: {{ . | quote }}
{{- end }}
{{- include "seed.vaultEnv" . }}
{{- include "seed.otlpEnv" . }}
{{- if .Values.flags }}
SEED_FLAGS_FILE: /etc/seed/flags.json
{{- end }}
{{- if .Values.targetMapping }}
SEED_TARGET_MAPPING: /etc/seed/mapping.yaml
{{- end }}
{{- with .Values.prices.millionRowsBrl }}
SEED_PRICE_MILLION_ROWS_BRL: {{ . | quote }}
{{- end }}
{{- with .Values.prices.gibMonthBrl }}
SEED_PRICE_GIB_MONTH_BRL: {{ . | quote }}
{{- end }}
{{- with .Values.prices.workerHourBrl }}
SEED_PRICE_WORKER_HOUR_BRL: {{ . | quote }}
{{- end }}
{{- with .Values.otlp.traceUrl }}
SEED_TRACE_URL: {{ . | quote }}
{{- end }}
{{- with .Values.lending.oracleUrl }}
SEED_LENDING_ORACLE_URL: {{ . | quote }}
{{- end }}
SEED_LENDING_ORACLE_LOANS: {{ .Values.lending.oracleLoans | quote }}
{{- range $name, $value := .Values.env }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "seed.vaultEnv" -}}
{{- $vault := .Values.vault -}}
{{- if $vault.address }}
SEED_VAULT_ADDR: {{ $vault.address | quote }}
SEED_VAULT_KEY_VERSION: {{ $vault.keyVersion | quote }}
{{- with $vault.namespace }}
SEED_VAULT_NAMESPACE: {{ . | quote }}
{{- end }}
{{- if $.Values.caBundle.configMap }}
SEED_VAULT_CA_FILE: /etc/seed-ca/{{ .Values.caBundle.key }}
{{- end }}
{{- if eq $vault.login "kubernetes" }}
SEED_VAULT_KUBERNETES_ROLE: {{ $vault.role | quote }}
SEED_VAULT_JWT_FILE: /var/run/secrets/vault/token
{{- end }}
{{- end }}
{{- end -}}

{{- define "seed.otlpEnv" -}}
{{- with .Values.otlp.endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ . | quote }}
{{- if $.Values.caBundle.configMap }}
OTEL_EXPORTER_OTLP_CERTIFICATE: /etc/seed-ca/{{ $.Values.caBundle.key }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "seed.apiEnv" -}}
{{ include "seed.env" . }}
SEED_DAGSTER_URL: {{ include "seed.dagsterUrl" . | quote }}
SEED_API_QUOTA: {{ .Values.api.quota | quote }}
{{- $access := .Values.api.access }}
{{- if $access.jwks }}
SEED_API_JWKS: {{ $access.jwks | quote }}
SEED_API_ISSUER: {{ $access.issuer | quote }}
SEED_API_AUDIENCE: {{ $access.audience | quote }}
{{- end }}
{{- if $access.policy }}
SEED_API_POLICY: /etc/seed/policy.yaml
{{- end }}
{{- end -}}

{{- define "seed.files" -}}
{{- if .Values.targetMapping }}
mapping.yaml: {{ .Values.targetMapping | quote }}
{{- end }}
{{- if .Values.flags }}
flags.json: {{ .Values.flags | toJson | quote }}
{{- end }}
{{- if .Values.api.access.policy }}
policy.yaml: {{ .Values.api.access.policy | quote }}
{{- end }}
{{- end -}}

{{- define "seed.dagsterEnv" -}}
{{ include "seed.plainEnv" . }}
DAGSTER_HOME: /opt/seed/dagster
{{- end -}}
