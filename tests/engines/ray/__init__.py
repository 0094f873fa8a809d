"""Tests of replicas on a Ray cluster."""
