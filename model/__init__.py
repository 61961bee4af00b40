"""Offline work on models."""
