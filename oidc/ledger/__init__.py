"""The key ledger in the cluster: who writes ConfigMap `irsa-keys`, and how.

Apart from the server, which only reads it from a mount: this needs the `kubernetes` client and rights to write.
"""
