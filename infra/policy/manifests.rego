# What may be merged: rules over one manifest, the limits of its environment, and what its file held before.
# input: {"path": …, "manifest": …, "earlier": [manifests that the same file held, from the repository's history]}
package seed.manifests

import rego.v1

deny contains problem("it names no environment: run seed-data manifest check") if {
	not input.manifest.metadata.environment
}

deny contains problem(sprintf("environment %s has no limits: add it to limits.json", [environment])) if {
	not data.environments[environment]
}

deny contains problem(sprintf("environment %s has no %s: add it to limits.json", [environment, rule])) if {
	limits := data.environments[environment]
	some rule in ["modes", "canary_first", "hours_utc", "cost_cap_brl", "caps"]
	not rule in object.keys(limits)
}

deny contains problem(sprintf("it has no %s: run seed-data manifest check", [part])) if {
	some part in ["metadata", "mode", "window", "volumetry", "budget"]
	not part in object.keys(input.manifest)
}

deny contains problem(sprintf("%s has no limit in %s: add it to limits.json", [entity, environment])) if {
	some entity, _ in input.manifest.volumetry
	not entity in object.keys(data.environments[environment].caps)
}

deny contains problem(sprintf("mode %s is not allowed in %s", [input.manifest.mode, environment])) if {
	limits := data.environments[environment]
	not input.manifest.mode in limits.modes
}

deny contains problem(sprintf("%s: the cap is %v, and %s allows %v", [entity, cap, environment, most])) if {
	some entity, most in data.environments[environment].caps
	cap := caps[entity]
	cap > most
}

deny contains problem(sprintf("cost_cap_brl is %v, and %s allows %v", [cost, environment, most])) if {
	cost := input.manifest.budget.cost_cap_brl
	most := data.environments[environment].cost_cap_brl
	cost > most
}

deny contains problem(sprintf("the window is %s to %s, and %s allows %s to %s", [
	input.manifest.window.start_utc,
	input.manifest.window.end_utc,
	environment,
	hours.start,
	hours.end,
])) if {
	hours := data.environments[environment].hours_utc
	hours != null
	not window_inside(hours)
}

deny contains problem(sprintf(
	"%s of version %s without a canary of that version before it: merge and run the canary first",
	[input.manifest.mode, input.manifest.metadata.version],
)) if {
	input.manifest.mode in data.environments[environment].canary_first
	not canary_before
}

environment := input.manifest.metadata.environment

# A cap that is overridden while developing counts as it will be run.
caps[entity] := cap if {
	some entity, volume in input.manifest.volumetry
	cap := object.get(object.get(input.manifest, "caps_override", {}), entity, volume.cap)
}

canary_before if {
	some earlier in input.earlier
	earlier.mode == "canary"
	earlier.metadata.version == input.manifest.metadata.version
	earlier.metadata.salt_version == input.manifest.metadata.salt_version
}

# Both windows, laid out from the opening of the allowed hours, so that midnight is no border.
window_inside(hours) if {
	opening := minutes(hours.start)
	allowed := ((minutes(hours.end) - opening) + 1440) % 1440
	start := ((minutes(input.manifest.window.start_utc) - opening) + 1440) % 1440
	end := ((minutes(input.manifest.window.end_utc) - opening) + 1440) % 1440
	start < end
	end <= allowed
}

minutes(clock) := (to_number(parts[0]) * 60) + to_number(parts[1]) if {
	parts := split(clock, ":")
}

problem(text) := concat(": ", [input.path, text])
