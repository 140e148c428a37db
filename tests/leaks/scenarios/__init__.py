"""What is done while the harness watches. Each module registers its scenarios when imported."""
