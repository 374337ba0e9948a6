// external-signer: ServiceAccount tokens signed outside of kube-apiserver (KEP-740), from a folder of keys.
//
//	signing.key   the private key that signs, PEM; replaced by a rename, it signs from the next token on
//	*.pub         public keys that verify beside it, PEM
//
// kube-apiserver is started with --service-account-signing-endpoint=SOCKET and without its key-file flags; it asks for the
// keys again every second, so a rotation restarts nothing. An example: a real signer keeps its key in an HSM or a KMS.
package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"
	api "k8s.io/externaljwt/apis/v1"
)

const (
	refreshSeconds     = 1
	maxLifetimeSeconds = 86400
)

// folder is the state: nothing is kept in memory, so what lies there is what counts.
type folder struct {
	api.UnimplementedExternalJWTSignerServer
	path string
}

// Sign answers header and signature of a token whose claims kube-apiserver made.
func (f folder) Sign(_ context.Context, request *api.SignJWTRequest) (*api.SignJWTResponse, error) {
	key, err := f.signingKey()
	if err != nil {
		return nil, err
	}
	_, kid, err := public(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	header, err := json.Marshal(map[string]string{"alg": "RS256", "kid": kid, "typ": "JWT"})
	if err != nil {
		return nil, err
	}
	encoded := base64.RawURLEncoding.EncodeToString(header)
	digest := sha256.Sum256([]byte(encoded + "." + request.GetClaims()))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		return nil, err
	}
	return &api.SignJWTResponse{Header: encoded, Signature: base64.RawURLEncoding.EncodeToString(signature)}, nil
}

// FetchKeys answers every key that verifies, the signing one first.
func (f folder) FetchKeys(context.Context, *api.FetchKeysRequest) (*api.FetchKeysResponse, error) {
	key, err := f.signingKey()
	if err != nil {
		return nil, err
	}
	publics := []any{&key.PublicKey}
	files, err := filepath.Glob(filepath.Join(f.path, "*.pub"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		der, err := block(file)
		if err != nil {
			return nil, err
		}
		other, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		publics = append(publics, other)
	}
	answer := &api.FetchKeysResponse{DataTimestamp: timestamppb.Now(), RefreshHintSeconds: refreshSeconds}
	seen := map[string]bool{}
	for _, each := range publics {
		der, kid, err := public(each)
		if err != nil {
			return nil, err
		}
		if !seen[kid] {
			seen[kid] = true
			answer.Keys = append(answer.Keys, &api.Key{KeyId: kid, Key: der})
		}
	}
	return answer, nil
}

// Metadata answers how long a token may live.
func (folder) Metadata(context.Context, *api.MetadataRequest) (*api.MetadataResponse, error) {
	return &api.MetadataResponse{MaxTokenExpirationSeconds: maxLifetimeSeconds}, nil
}

func (f folder) signingKey() (*rsa.PrivateKey, error) {
	file := filepath.Join(f.path, "signing.key")
	der, err := block(file)
	if err != nil {
		return nil, err
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New(file + ": this example signs with RSA keys only")
	}
	return key, nil
}

// public is the DER of a SubjectPublicKeyInfo, and the kid that kube-apiserver itself would give the key.
func public(key any) ([]byte, string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, "", err
	}
	digest := sha256.Sum256(der)
	return der, base64.RawURLEncoding.EncodeToString(digest[:]), nil
}

func block(file string) ([]byte, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	found, _ := pem.Decode(content)
	if found == nil {
		return nil, errors.New(file + ": no PEM")
	}
	return found.Bytes, nil
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: external-signer FOLDER SOCKET")
	}
	_ = os.Remove(os.Args[2])
	listener, err := net.Listen("unix", os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	if err := os.Chmod(os.Args[2], 0o600); err != nil { // whoever can reach it can sign as any ServiceAccount
		log.Fatal(err)
	}
	server := grpc.NewServer()
	api.RegisterExternalJWTSignerServer(server, folder{path: os.Args[1]})
	log.Printf("serving %s on %s", os.Args[1], os.Args[2])
	log.Fatal(server.Serve(listener))
}
