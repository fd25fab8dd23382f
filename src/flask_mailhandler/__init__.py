"""Send email from Flask, and know what became of it."""
