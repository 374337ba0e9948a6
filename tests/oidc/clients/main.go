// Verifies ServiceAccount tokens with github.com/coreos/go-oidc: discovery, keys and signature are its work.
//
// Usage: verify ISSUER ADDRESS CA-FILE AUDIENCE; a token a line on standard input, an answer a line on standard output.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/coreos/go-oidc/v3/oidc"
)

func main() {
	issuer, address, caFile, audience := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	ca, err := os.ReadFile(caFile)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	// The issuer's name is one of the cluster's; everything but the address is as in the cluster.
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
	ctx := oidc.ClientContext(context.Background(), &http.Client{Transport: transport})
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
	verifier := provider.VerifierContext(ctx, &oidc.Config{ClientID: audience})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if token, err := verifier.Verify(ctx, lines.Text()); err != nil {
			fmt.Println("refused:", err)
		} else {
			fmt.Println("ok", token.Subject)
		}
	}
}
