"""The recorder simulator. Import its names from `camsync.testing`."""
