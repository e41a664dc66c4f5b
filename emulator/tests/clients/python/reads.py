"""Reads a vault with Azure's SDK for Python, and writes the result as JSON.

CREDENTIAL selects the credential (client-secret, workload-identity, managed-identity), and VAULT_URL the vault.
azure-identity reads its own variables: AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET,
AZURE_FEDERATED_TOKEN_FILE, and AZURE_POD_IDENTITY_AUTHORITY_HOST for the address of the emulated IMDS.
"""

import base64
import json
import os
import sys

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ClientSecretCredential, ManagedIdentityCredential, WorkloadIdentityCredential
from azure.keyvault.certificates import CertificateClient
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient


def credential(kind):
    if kind == "client-secret":
        variables = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
        return ClientSecretCredential(*(os.environ[name] for name in variables))
    if kind == "workload-identity":
        return WorkloadIdentityCredential()
    if kind == "managed-identity":
        return ManagedIdentityCredential(client_id=os.environ["AZURE_CLIENT_ID"])
    raise ValueError(f"CREDENTIAL is {kind!r}, which is not a known credential")


def refusal(read, name):
    """Returns status and code of a refusal as the SDK parses them."""
    try:
        read(name)
    except HttpResponseError as error:
        return {"status": error.status_code, "code": error.error.code}
    return "it was answered"


def base64_text(data):
    return base64.b64encode(data).decode()


def read_secrets(client):
    current = client.get_secret("db-password")
    return {
        "secret": {
            "value": current.value,
            "contentType": current.properties.content_type,
            "name": current.name,
            "version": current.properties.version,
            "enabled": current.properties.enabled,
            "created": int(current.properties.created_on.timestamp()),
        },
        "oldSecret": client.get_secret("db-password", "c4ca4238a0b923820dcc509a6f75849b").value,
        "secrets": [secret.name for secret in client.list_properties_of_secrets()],
        "secretVersions": [
            {
                "version": secret.version,
                "enabled": secret.enabled,
                "created": int(secret.created_on.timestamp()),
            }
            for secret in client.list_properties_of_secret_versions("many")
        ],
        "missing": refusal(client.get_secret, "missing"),
        "disabled": refusal(client.get_secret, "disabled"),
    }


def read_keys(client):
    current = client.get_key("web")
    return {
        "key": {
            "name": current.name,
            "version": current.properties.version,
            "type": str(current.key.kty.value),
            "n": base64_text(current.key.n),
            "e": base64_text(current.key.e),
        },
        "keys": [key.name for key in client.list_properties_of_keys()],
        "keyVersions": [key.version for key in client.list_properties_of_key_versions("web")],
        "missingKey": refusal(client.get_key, "missing"),
    }


def read_certificates(client):
    current = client.get_certificate("web")
    return {
        "certificate": {
            "name": current.name,
            "version": current.properties.version,
            "cer": base64_text(current.cer),
            "key": current.key_id,
            "secret": current.secret_id,
            "x5t": base64_text(current.properties.x509_thumbprint),
        },
        "certificates": [found.name for found in client.list_properties_of_certificates()],
        "certificateVersions": [
            found.version for found in client.list_properties_of_certificate_versions("web")
        ],
        "missingCertificate": refusal(client.get_certificate, "missing"),
    }


def read():
    vault = os.environ["VAULT_URL"]
    token = credential(os.environ["CREDENTIAL"])
    # Without retries, so that a refusal is returned at once.
    return {
        **read_secrets(SecretClient(vault, token, retry_total=0)),
        **read_keys(KeyClient(vault, token, retry_total=0)),
        **read_certificates(CertificateClient(vault, token, retry_total=0)),
    }


try:
    found = read()
except ClientAuthenticationError as error:
    found = {"error": error.message}
json.dump(found, sys.stdout)
