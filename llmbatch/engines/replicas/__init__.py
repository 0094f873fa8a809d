"""Several engines that share one run's work, each in a process of its own."""
