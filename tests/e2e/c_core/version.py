"""Calls Version over the Unix socket sys.argv[1], with the authority sys.argv[2] if it is given."""

import sys

import grpc

options = [("grpc.default_authority", authority) for authority in sys.argv[2:]]
with grpc.insecure_channel(f"unix:{sys.argv[1]}", options=options) as channel:
    # The encoded message, so that no code must be generated: field 1, "v1alpha1".
    version = channel.unary_unary("/v1alpha1.CSIDriverProvider/Version")
    try:
        print("answer", version(b"\n\x08v1alpha1", timeout=20).hex())
    except grpc.RpcError as error:
        print(error.code().name, error.details())
