"""A fair comparison of methods: each tuned alike, several seeds, and what the differences are worth."""
