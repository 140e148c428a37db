"""What the leak tests look for (vault), where (views, watch), and what must be driven (surface)."""
