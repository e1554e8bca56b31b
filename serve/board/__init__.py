"""The board a server runs on: power, temperature, clock, throttling."""
