"""Where passwords come from when nobody types them."""
