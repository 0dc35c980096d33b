"""The operator: a simulation as a Kubernetes resource. Nothing is in here yet."""
