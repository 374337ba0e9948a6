"""Small programs and manifests that show irsa at work."""
