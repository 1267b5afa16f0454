{{- /* Manifests: files of a ConfigMap, a commit that git-sync checks out, or a folder of the image. */ -}}

{{- define "seed.manifestMount" -}}
{{- ternary "/git" "/manifests" (eq .Values.manifests.source "gitSync") -}}
{{- end -}}

{{- define "seed.manifestFolder" -}}
{{- $manifests := .Values.manifests -}}
{{- if eq $manifests.source "gitSync" -}}
/git/current/{{ $manifests.gitSync.folder }}
{{- else if eq $manifests.source "image" -}}
{{ $manifests.image.folder }}
{{- else -}}
/manifests
{{- end -}}
{{- end -}}

{{- /* A key of a ConfigMap has no slash. */ -}}
{{- define "seed.manifestKey" -}}
{{ . | replace "/" "__" }}
{{- end -}}

{{- define "seed.tenantOf" -}}
{{ . | base | trimSuffix ".yaml" }}
{{- end -}}

{{- /* (list $ location): what a code location shows; the one without tenants has all that no other one names. */ -}}
{{- define "seed.manifestVolume" -}}
{{- $top := index . 0 -}}
{{- $location := index . 1 | default dict -}}
{{- $taken := list -}}
{{- range $top.Values.codeLocations -}}{{- $taken = concat $taken (.tenants | default list) -}}{{- end -}}
{{- $items := list -}}
{{- range $path, $_ := $top.Values.manifests.configMap.files -}}
{{- $tenant := include "seed.tenantOf" $path -}}
{{- $mine := ternary (not (has $tenant $taken)) (has $tenant ($location.tenants | default list)) (empty $location.tenants) -}}
{{- if or (not $location.name) $mine -}}
{{- $items = append $items (dict "key" (include "seed.manifestKey" $path) "path" $path) -}}
{{- end -}}
{{- end -}}
{{- /* Without items Kubernetes would mount every key. */ -}}
{{- if and $items (eq $top.Values.manifests.source "configMap") -}}
configMap:
  name: {{ include "seed.fullname" $top }}-manifests
  items: {{- toYaml $items | nindent 4 }}
{{- else -}}
emptyDir: {}
{{- end -}}
{{- end -}}

{{- /* One commit, checked out before the program starts: code location and run pod cannot differ. */ -}}
{{- define "seed.gitSync" -}}
{{- $git := .Values.manifests.gitSync -}}
- name: git-sync
  image: {{ $git.image.repository }}@{{ $git.image.digest }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args:
    - --repo={{ $git.repository }}
    - --ref={{ $git.commit }}
    - --root=/git
    - --link=current
    - --one-time
    - --max-failures=3
  {{- if $git.secret }}
  envFrom:
    - secretRef:
        name: {{ $git.secret }}
  {{- end }}
  env:
    - name: HOME
      value: /tmp
  resources: {{- toYaml $git.resources | nindent 4 }}
  securityContext: {{- include "seed.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - name: manifests
      mountPath: /git
    - name: tmp
      mountPath: /tmp
{{- end -}}

{{- define "seed.workerInit" -}}
{{- if eq .Values.manifests.source "gitSync" }}{{ include "seed.gitSync" . }}{{ end -}}
{{- end -}}
