"""What a recovery drill is measured against: the promises that a manifest of mode dr makes, whatever it says."""

# The longest time without a new durable checkpoint of a shard.
RPO_OBJECTIVE_MS = 5 * 60 * 1000
# From when the dataset was gone until it is there again.
RTO_OBJECTIVE_MS = 60 * 60 * 1000
