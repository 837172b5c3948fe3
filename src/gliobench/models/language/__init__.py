"""Language models in this process: asked in batches, freely, held to a format or by choice."""
