"""Which URLs may be called from here, and how much may come back? Every request to a stranger's URL leaves here."""
