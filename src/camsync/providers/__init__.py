"""The vendors' backends. Nobody imports them by path: `camsync.registry` knows their names."""
