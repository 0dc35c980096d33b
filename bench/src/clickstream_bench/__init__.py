"""Measurements of the components, as ratios within one run.

Owns what ``clickstream bench`` does. It proves nothing: tests do.
"""
