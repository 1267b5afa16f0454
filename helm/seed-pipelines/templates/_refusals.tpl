{{- /* What no schema can see: values that do not fit together. Any doubt is a refusal that says what to do. */ -}}

{{- /* (list $ why what-to-do) */ -}}
{{- define "seed.refuse" -}}
{{- fail (printf "cannot deploy environment %q: %s. %s" (index . 0).Values.environment (index . 1) (index . 2)) -}}
{{- end -}}

{{- define "seed.assertSafe" -}}
{{- if ne .Values.environment "dev" -}}{{- include "seed.assertGuarded" . -}}{{- end -}}
{{- include "seed.assertKey" . -}}
{{- include "seed.assertCredentials" . -}}
{{- include "seed.assertManifests" . -}}
{{- include "seed.assertLocations" . -}}
{{- include "seed.assertDoors" . -}}
{{- end -}}

{{- /* Outside of dev: what a seed run would refuse anyway is refused before anything is deployed. */ -}}
{{- define "seed.assertGuarded" -}}
{{- $values := .Values -}}
{{- if not (hasPrefix "https://" $values.vault.address) -}}
{{- include "seed.refuse" (list . "masking keys and signatures come from Vault over TLS only" "Set vault.address to an https:// URL.") -}}
{{- end -}}
{{- if not (hasPrefix "s3://" $values.worm.url) -}}
{{- include "seed.refuse" (list . "reports go to write-once storage only" "Set worm.url to s3://bucket/prefix of a bucket with Object Lock.") -}}
{{- end -}}
{{- if not $values.otlp.endpoint -}}
{{- include "seed.refuse" (list . "spans and metrics have nowhere to go" "Set otlp.endpoint.") -}}
{{- end -}}
{{- if not $values.image.digest -}}
{{- include "seed.refuse" (list . "a tag can be moved to another image" "Set image.digest.") -}}
{{- end -}}
{{- if eq $values.credentials.source "plain" -}}
{{- include "seed.refuse" (list . "credentials in values stay in the release's history" "Set credentials.source to existingSecret, externalSecret or vaultAgent.") -}}
{{- end -}}
{{- if and (include "seed.runsDagster" .) (not $values.dagster.computeLogs.bucket) -}}
{{- include "seed.refuse" (list . "logs of runs would be gone with their pods" "Set dagster.computeLogs.bucket.") -}}
{{- end -}}
{{- if not $values.networkPolicy.enabled -}}
{{- include "seed.refuse" (list . "its pods could talk to anybody" "Leave networkPolicy.enabled on.") -}}
{{- end -}}
{{- if and $values.api.enabled (not (and $values.api.access.jwks $values.api.access.issuer $values.api.access.audience $values.api.access.policy)) -}}
{{- include "seed.refuse" (list . "the API would not know who may do what" "Set api.access.jwks, issuer, audience and policy, or api.enabled to false.") -}}
{{- end -}}
{{- if and $values.webserver.ingress.enabled (not $values.webserver.ingress.authenticatedBy) -}}
{{- include "seed.refuse" (list . "Dagster's UI asks nobody who they are" "Put an authenticating proxy before it and name it in webserver.ingress.authenticatedBy.") -}}
{{- end -}}
{{- range $door, $ingress := dict "webserver" $values.webserver.ingress "api" $values.api.ingress -}}
{{- if and $ingress.enabled (not $ingress.tlsSecret) -}}
{{- include "seed.refuse" (list $ (printf "%s.ingress would answer without TLS" $door) (printf "Set %s.ingress.tlsSecret." $door)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "seed.assertKey" -}}
{{- if not (or .Values.vault.address .Values.home.existingClaim) -}}
{{- include "seed.refuse" (list . "without Vault every pod would make a masking key of its own" "Set vault.address, or home.existingClaim for the local key of dev.") -}}
{{- end -}}
{{- if and .Values.vault.address (eq .Values.vault.login "kubernetes") (not .Values.vault.role) -}}
{{- include "seed.refuse" (list . "Vault would not know who logs in" "Set vault.role, or vault.login to secret.") -}}
{{- end -}}
{{- end -}}

{{- define "seed.assertCredentials" -}}
{{- $credentials := .Values.credentials -}}
{{- if and (eq $credentials.source "externalSecret") (not $credentials.externalSecret.storeName) -}}
{{- include "seed.refuse" (list . "an ExternalSecret needs its store" "Set credentials.externalSecret.storeName.") -}}
{{- end -}}
{{- $paths := get (dict "externalSecret" $credentials.externalSecret.keys "vaultAgent" $credentials.vaultAgent.paths) $credentials.source -}}
{{- if has $credentials.source (list "externalSecret" "vaultAgent") -}}
{{- range $who := include "seed.whoHasCredentials" . | fromJsonArray -}}
{{- if and (eq $credentials.source "vaultAgent") (not (get $credentials.vaultAgent.roles $who)) -}}
{{- include "seed.refuse" (list $ (printf "the Vault agent would not know as whom %q logs in" $who) (printf "Set credentials.vaultAgent.roles.%s." $who)) -}}
{{- end -}}
{{- if not (get $paths $who) -}}
{{- include "seed.refuse" (list $ (printf "nobody says where the credentials of %q are" $who) (printf "Set it beside the others of credentials.%s." $credentials.source)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "seed.whoHasCredentials" -}}
{{- $who := list "worker" -}}
{{- if .Values.api.enabled -}}{{- $who = append $who "api" -}}{{- end -}}
{{- if include "seed.runsDagster" . -}}{{- $who = append $who "dagster" -}}{{- end -}}
{{- if .Values.migration.enabled -}}{{- $who = append $who "migrator" -}}{{- end -}}
{{- $who | toJson -}}
{{- end -}}

{{- define "seed.assertManifests" -}}
{{- $manifests := .Values.manifests -}}
{{- if eq $manifests.source "configMap" -}}
{{- if empty $manifests.configMap.files -}}
{{- include "seed.refuse" (list . "it has no manifest" "Give them with --set-file 'manifests.configMap.files.dev/acme\\.yaml=manifests/dev/acme.yaml'.") -}}
{{- end -}}
{{- range $path, $_ := $manifests.configMap.files -}}
{{- if ne (dir $path) $.Values.environment -}}
{{- include "seed.refuse" (list $ (printf "manifest %q belongs to another environment" $path) "Leave it out.") -}}
{{- end -}}
{{- end -}}
{{- if gt (len ($manifests.configMap.files | toJson)) 900000 -}}
{{- include "seed.refuse" (list . "its manifests are too large for a ConfigMap" "Set manifests.source to gitSync or image.") -}}
{{- end -}}
{{- end -}}
{{- $git := $manifests.gitSync -}}
{{- if and (eq $manifests.source "gitSync") (not (and $git.repository $git.commit $git.image.repository $git.image.digest)) -}}
{{- include "seed.refuse" (list . "git-sync would not know what to check out" "Set manifests.gitSync.repository, commit, image.repository and image.digest.") -}}
{{- end -}}
{{- end -}}

{{- define "seed.assertLocations" -}}
{{- $taken := dict -}}
{{- $rest := list -}}
{{- range .Values.codeLocations -}}
{{- if empty .tenants -}}{{- $rest = append $rest .name -}}{{- end -}}
{{- $name := .name -}}
{{- range .tenants -}}
{{- if hasKey $taken . -}}
{{- include "seed.refuse" (list $ (printf "tenant %q is in code locations %q and %q" . (get $taken .) $name) "Leave it in one.") -}}
{{- end -}}
{{- $_ := set $taken . $name -}}
{{- if not (hasKey $.Values.manifests.configMap.files (printf "%s/%s.yaml" $.Values.environment .)) -}}
{{- include "seed.refuse" (list $ (printf "code location %q names tenant %q, which has no manifest here" $name .) "A tenant is picked from manifests.configMap.files.") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if ne (len $rest) 1 -}}
{{- include "seed.refuse" (list . (printf "%d code locations take the tenants that no other names" (len $rest)) "Exactly one of codeLocations has no tenants.") -}}
{{- end -}}
{{- end -}}

{{- define "seed.assertDoors" -}}
{{- if and .Values.api.enabled (not .Values.webserver.enabled) (not .Values.api.dagsterUrl) -}}
{{- include "seed.refuse" (list . "the API would not know where Dagster is" "Set api.dagsterUrl to the webserver's URL.") -}}
{{- end -}}
{{- if and .Values.monitoring.serviceMonitor.enabled (not .Values.api.enabled) -}}
{{- include "seed.refuse" (list . "there is nothing to scrape" "Set api.enabled, or monitoring.serviceMonitor.enabled to false.") -}}
{{- end -}}
{{- range $door, $it := dict "webserver" .Values.webserver "api" .Values.api -}}
{{- if and $it.ingress.enabled (not (and $it.enabled $it.ingress.host)) -}}
{{- include "seed.refuse" (list $ (printf "%s.ingress has no host, or nothing behind it" $door) (printf "Set %s.ingress.host and %s.enabled." $door $door)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
