"""CPU forms that keep their intermediates in tiles of the cache's size."""
