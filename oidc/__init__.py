"""The cluster's OIDC discovery document and JWKS, published so that AWS STS or a local one can verify its tokens."""
