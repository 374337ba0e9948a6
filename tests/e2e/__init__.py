"""The whole flow, from an annotated ServiceAccount to an S3 listing, with nothing in it replaced."""
