"""Judges SecretProviderClasses by a JSON Schema and by the CEL of an admission policy.

Reads {"schema": …, "policy": YAML, "classes": [parameters, …]} on standard input. Writes for each class the names of those
that refuse it: "schema", or the message of a rule.
"""

import json
import sys

import celpy
import yaml
from jsonschema import Draft202012Validator

asked = json.load(sys.stdin)
validator = Draft202012Validator(asked["schema"])
policy = next(document for document in yaml.safe_load_all(asked["policy"]) if document["kind"].endswith("Policy"))
environment = celpy.Environment()


def program(expression):
    return environment.program(environment.compile(expression))


condition = program(policy["spec"]["matchConditions"][0]["expression"])
variable = program(policy["spec"]["variables"][0]["expression"])
rules = [(rule["message"], program(rule["expression"])) for rule in policy["spec"]["validations"]]


def judge(parameters):
    document = {"kind": "SecretProviderClass", "spec": {"provider": "azure", "parameters": parameters}}
    refused = [] if validator.is_valid(document) else ["schema"]
    whole = {"object": celpy.json_to_cel(document)}
    assert condition.evaluate(whole)
    whole["variables"] = celpy.json_to_cel({"p": parameters})
    assert variable.evaluate(whole) is not None
    return refused + [message for message, rule in rules if not rule.evaluate(whole)]


json.dump([judge(parameters) for parameters in asked["classes"]], sys.stdout)
