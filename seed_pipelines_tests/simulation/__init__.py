"""A night of a thousand tenants: real queue, leases, slots and windows on a real PostgreSQL; the runs only sleep."""
