"""What a comparison writes: tables, charts, a page, and files for machines."""
