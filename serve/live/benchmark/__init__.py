"""What live viewers get of a network's speed, and how late."""
