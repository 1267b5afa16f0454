"""What a finished run says, as plain values."""


def failure_of(result):
    """The step, code and description of the failure that ended a run."""
    failed = [event for event in result.all_events if event.is_step_failure]
    data = failed[0].step_failure_data.user_failure_data
    return failed[0].step_key.split(".")[-1], data.metadata["code"].value, data.description


def metadata_by_asset(result):
    """The last part of each materialized asset's key → its metadata as plain values."""
    return {
        event.asset_key.path[-1]: {
            label: entry.value for label, entry in event.step_materialization_data.materialization.metadata.items()
        }
        for event in result.all_events
        if event.event_type_value == "ASSET_MATERIALIZATION"
    }


def checks_of(result):
    """(asset, check) → passed, of every check that a run has judged."""
    evaluations = [
        event.event_specific_data for event in result.all_events if event.event_type_value == "ASSET_CHECK_EVALUATION"
    ]
    return {(found.asset_key.path[-1], found.check_name): found.passed for found in evaluations}
