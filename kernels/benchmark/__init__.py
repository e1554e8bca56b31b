"""What the operations cost, beside the same formulas as public code writes them."""
