// Reads a vault with Azure's SDK for Go, and writes the result as JSON.
//
// CREDENTIAL selects the credential (client-secret, workload-identity, managed-identity), and VAULT_URL the vault.
// azidentity reads its own variables: AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET,
// AZURE_FEDERATED_TOKEN_FILE. IMDS_ADDRESS is the address of the emulated IMDS.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azcertificates"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

type object map[string]any

func main() {
	found, err := read(context.Background())
	if err != nil {
		found = object{"error": err.Error()}
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		panic(err)
	}
}

func read(ctx context.Context) (object, error) {
	vault := os.Getenv("VAULT_URL")
	credential, err := credential(os.Getenv("CREDENTIAL"))
	if err != nil {
		return nil, err
	}
	found := object{}
	// Without retries, so that a refusal is returned at once.
	options := azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}}
	secrets, err := azsecrets.NewClient(vault, credential, &azsecrets.ClientOptions{ClientOptions: options})
	if err != nil {
		return nil, err
	}
	keys, err := azkeys.NewClient(vault, credential, &azkeys.ClientOptions{ClientOptions: options})
	if err != nil {
		return nil, err
	}
	certificates, err := azcertificates.NewClient(vault, credential, &azcertificates.ClientOptions{ClientOptions: options})
	if err != nil {
		return nil, err
	}
	for _, read := range []func() error{
		func() error { return readSecrets(ctx, secrets, found) },
		func() error { return readKeys(ctx, keys, found) },
		func() error { return readCertificates(ctx, certificates, found) },
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func credential(kind string) (azcore.TokenCredential, error) {
	tenant, client := os.Getenv("AZURE_TENANT_ID"), os.Getenv("AZURE_CLIENT_ID")
	switch kind {
	case "client-secret":
		return azidentity.NewClientSecretCredential(tenant, client, os.Getenv("AZURE_CLIENT_SECRET"), nil)
	case "workload-identity":
		return azidentity.NewWorkloadIdentityCredential(nil)
	case "managed-identity":
		options := azidentity.ManagedIdentityCredentialOptions{ID: azidentity.ClientID(client)}
		options.Transport = imds(os.Getenv("IMDS_ADDRESS"))
		return azidentity.NewManagedIdentityCredential(&options)
	}
	return nil, fmt.Errorf("CREDENTIAL is %q, which is not a known credential", kind)
}

// The SDK has no variable for the address of IMDS, so its connections are redirected.
func imds(address string) *http.Client {
	dialer := net.Dialer{}
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, target string) (net.Conn, error) {
			if target != "169.254.169.254:80" {
				return nil, fmt.Errorf("%s is not IMDS", target)
			}
			return dialer.DialContext(ctx, network, address)
		},
	}}
}

func readSecrets(ctx context.Context, client *azsecrets.Client, found object) error {
	current, err := client.GetSecret(ctx, "db-password", "", nil)
	if err != nil {
		return err
	}
	found["secret"] = object{
		"value":       current.Value,
		"contentType": current.ContentType,
		"name":        current.ID.Name(),
		"version":     current.ID.Version(),
		"enabled":     current.Attributes.Enabled,
		"created":     current.Attributes.Created.Unix(),
	}
	old, err := client.GetSecret(ctx, "db-password", "c4ca4238a0b923820dcc509a6f75849b", nil)
	if err != nil {
		return err
	}
	found["oldSecret"] = old.Value
	names, err := all(ctx, client.NewListSecretPropertiesPager(nil), func(page azsecrets.ListSecretPropertiesResponse) []any {
		return each(page.Value, func(secret *azsecrets.SecretProperties) any { return secret.ID.Name() })
	})
	if err != nil {
		return err
	}
	versions, err := all(ctx, client.NewListSecretPropertiesVersionsPager("many", nil), func(page azsecrets.ListSecretPropertiesVersionsResponse) []any {
		return each(page.Value, func(secret *azsecrets.SecretProperties) any {
			return object{"version": secret.ID.Version(), "enabled": secret.Attributes.Enabled, "created": secret.Attributes.Created.Unix()}
		})
	})
	if err != nil {
		return err
	}
	_, missing := client.GetSecret(ctx, "missing", "", nil)
	_, disabled := client.GetSecret(ctx, "disabled", "", nil)
	found["secrets"], found["secretVersions"] = names, versions
	found["missing"], found["disabled"] = refusal(missing), refusal(disabled)
	return nil
}

func readKeys(ctx context.Context, client *azkeys.Client, found object) error {
	current, err := client.GetKey(ctx, "web", "", nil)
	if err != nil {
		return err
	}
	found["key"] = object{
		"name":    current.Key.KID.Name(),
		"version": current.Key.KID.Version(),
		"type":    current.Key.Kty,
		"n":       current.Key.N,
		"e":       current.Key.E,
	}
	names, err := all(ctx, client.NewListKeyPropertiesPager(nil), func(page azkeys.ListKeyPropertiesResponse) []any {
		return each(page.Value, func(key *azkeys.KeyProperties) any { return key.KID.Name() })
	})
	if err != nil {
		return err
	}
	versions, err := all(ctx, client.NewListKeyPropertiesVersionsPager("web", nil), func(page azkeys.ListKeyPropertiesVersionsResponse) []any {
		return each(page.Value, func(key *azkeys.KeyProperties) any { return key.KID.Version() })
	})
	_, missing := client.GetKey(ctx, "missing", "", nil)
	found["keys"], found["keyVersions"], found["missingKey"] = names, versions, refusal(missing)
	return err
}

func readCertificates(ctx context.Context, client *azcertificates.Client, found object) error {
	current, err := client.GetCertificate(ctx, "web", "", nil)
	if err != nil {
		return err
	}
	found["certificate"] = object{
		"name":    current.ID.Name(),
		"version": current.ID.Version(),
		"cer":     current.CER,
		"key":     current.KID,
		"secret":  current.SID,
		"x5t":     current.X509Thumbprint,
	}
	names, err := all(ctx, client.NewListCertificatePropertiesPager(nil), func(page azcertificates.ListCertificatePropertiesResponse) []any {
		return each(page.Value, func(certificate *azcertificates.CertificateProperties) any { return certificate.ID.Name() })
	})
	if err != nil {
		return err
	}
	versions, err := all(ctx, client.NewListCertificatePropertiesVersionsPager("web", nil), func(page azcertificates.ListCertificatePropertiesVersionsResponse) []any {
		return each(page.Value, func(certificate *azcertificates.CertificateProperties) any { return certificate.ID.Version() })
	})
	_, missing := client.GetCertificate(ctx, "missing", "", nil)
	found["certificates"], found["certificateVersions"], found["missingCertificate"] = names, versions, refusal(missing)
	return err
}

// Returns the items of every page.
func all[T any](ctx context.Context, pager *runtime.Pager[T], items func(T) []any) ([]any, error) {
	found := []any{}
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		found = append(found, items(page)...)
	}
	return found, nil
}

func each[T any](items []T, describe func(T) any) []any {
	found := make([]any, 0, len(items))
	for _, item := range items {
		found = append(found, describe(item))
	}
	return found
}

// Returns status and code of a refusal as the SDK parses them.
func refusal(err error) any {
	var response *azcore.ResponseError
	if !errors.As(err, &response) {
		return fmt.Sprint(err)
	}
	return object{"status": response.StatusCode, "code": response.ErrorCode}
}
