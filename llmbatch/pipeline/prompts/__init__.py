"""From a row to the request that is asked, its key, and the planned order."""
