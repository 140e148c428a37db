"""Fuzz targets: every parser that eats bytes from outside, and the engines that feed them.

``python -m fuzz --list`` names the targets; ``python -m fuzz --target NAME`` runs one. See run.py.
"""
