"""The trust in answers: warning signs, gold sets, comparison of answers, drift of inputs."""
