"""Tables: schemas, tiers, expressions, and what is done with rows."""
