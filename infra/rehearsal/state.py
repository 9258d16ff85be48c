"""Prints the parameters with which another stack takes over the state of a stack.

Usage: state.py STACK
       state.py STACK VARIABLE=VALUE    fails unless a handler of the stack has the variable
       state.py --kept PARAMETER=VALUE PARAMETER=VALUE    fails unless the table and key are there
"""

import sys

import boto3

PARAMETERS = {"TenantsTable": "TenantsTableName", "TenantsKey": "TenantsKeyArn"}


def outputs(stack):
    described = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def main(stack, *expected):
    if stack == "--kept":
        kept = dict(pair.split("=", 1) for pair in expected)
        boto3.client("dynamodb").describe_table(TableName=kept["TenantsTableName"])
        key = boto3.client("kms").describe_key(KeyId=kept["TenantsKeyArn"])["KeyMetadata"]
        if key["KeyState"] != "Enabled":
            sys.exit(f"the key is {key['KeyState']}")
        return
    found = outputs(stack)
    if not expected:
        print(*(f"{parameter}={found[output]}" for output, parameter in PARAMETERS.items()))
        return
    name, value = expected[0].split("=", 1)
    handlers = [found[output] for output in found if output.endswith("HandlerName")]
    for handler in handlers:
        function = boto3.client("lambda").get_function_configuration(FunctionName=handler)
        has = function["Environment"]["Variables"].get(name)
        if has != value:
            sys.exit(f"{name} of {handler} is {has}, not {value}")


if __name__ == "__main__":
    main(*sys.argv[1:])
