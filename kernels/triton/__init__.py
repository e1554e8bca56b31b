"""The GPU forms of the operations, in Triton. Imported only where they run: Triton is not installed everywhere."""
