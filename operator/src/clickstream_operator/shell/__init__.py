"""The Kubernetes API, the workers' metrics, and the clock."""
