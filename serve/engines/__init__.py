"""What runs the network: one protocol, an engine a file, and the choice among them."""
