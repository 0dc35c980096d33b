"""Benchmarks of the components, as ratios within one run.

Owns the measurements of ``clickstream bench``.
"""
