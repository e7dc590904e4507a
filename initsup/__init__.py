"""initsup: the Kubernetes Pod lifecycle as a process supervisor for one host."""

__version__ = "0.1.0"
