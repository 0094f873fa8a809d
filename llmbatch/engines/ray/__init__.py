"""Replicas on a Ray cluster: one actor for each. Only this room imports ray."""
