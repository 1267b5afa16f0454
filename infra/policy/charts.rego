# What may be deployed: rules over one rendered Kubernetes object.
# input: {"object": …}
package seed.charts

import rego.v1

deny contains problem(sprintf("container %s: image %s has no fixed version", [container.name, container.image])) if {
	some container in containers
	not pinned(container.image)
}

deny contains problem(sprintf("container %s may run as root", [container.name])) if {
	some container in containers
	not runs_as_somebody(container)
}

deny contains problem(sprintf("container %s may write to its own image", [container.name])) if {
	some container in containers
	not object.get(security(container), "readOnlyRootFilesystem", false)
}

deny contains problem(sprintf("container %s may gain privileges", [container.name])) if {
	some container in containers
	object.get(security(container), "allowPrivilegeEscalation", true)
}

deny contains problem(sprintf("container %s has no limit of memory", [container.name])) if {
	some container in containers
	not container.resources.limits.memory
}

deny contains problem(sprintf("container %s: %s holds its secret in plain text", [container.name, variable.name])) if {
	some container in containers
	some variable in object.get(container, "env", [])
	secret_name(variable.name)
	object.get(variable, "value", "") != ""
}

deny contains problem(sprintf("%s holds a secret in plain text", [key])) if {
	input.object.kind == "ConfigMap"
	some key, value in object.get(input.object, "data", {})
	secret_name(key)
	value != ""
}

deny contains problem(sprintf("%s holds a password in an address", [key])) if {
	input.object.kind == "ConfigMap"
	some key, value in object.get(input.object, "data", {})
	regex.match(`[a-z]+://[^\s:/@]+:[^\s@]+@`, value)
}

deny contains problem(sprintf("it holds %s: only dev may have secrets in the release", [kind])) if {
	input.object.kind == "Secret"
	some kind in ["data", "stringData"]
	count(object.get(input.object, kind, {})) > 0
	object.get(input.object, ["metadata", "labels", "seed-pipelines/environment"], "?") != "dev"
}

deny contains problem("a role with a wildcard") if {
	input.object.kind in {"Role", "ClusterRole"}
	some rule in input.object.rules
	some field in ["apiGroups", "resources", "verbs"]
	"*" in object.get(rule, field, [])
}

pod := input.object.spec if input.object.kind == "Pod"

pod := input.object.spec.template.spec if {
	input.object.kind in {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"}
}

pod := input.object.spec.jobTemplate.spec.template.spec if input.object.kind == "CronJob"

containers contains container if {
	some kind in ["containers", "initContainers"]
	some container in object.get(pod, kind, [])
}

security(container) := object.get(container, "securityContext", {})

runs_as_somebody(container) if security(container).runAsNonRoot

runs_as_somebody(container) if {
	not "runAsNonRoot" in object.keys(security(container))
	pod.securityContext.runAsNonRoot
}

pinned(image) if regex.match(`@sha256:[0-9a-f]{64}$`, image)

pinned(image) if {
	regex.match(`^[^\s@]+:[^\s:/@]+$`, image)
	not endswith(image, ":latest")
}

secret_name(name) if {
	regex.match(`(PASSWORD|SECRET|TOKEN|PRIVATE_KEY|ACCESS_KEY|SUBJECT_KEY|SECRET_ID|DSN|DATABASE_URL|MIGRATOR_URL|ADMIN_URL)$`, upper(name))
}

problem(text) := concat("", [input.object.kind, "/", input.object.metadata.name, ": ", text])
