"""Asks and completes a stack in ministack.

Usage: stack.py routes STACK                prints its base URL
       stack.py status STACK                prints its status
       stack.py variable STACK NAME VALUE   fails unless its functions have the value
       stack.py state STACK                 prints the parameters by which another stack adopts its state
       stack.py kept STACK                  prints what outlives it: logical id, type, physical id
       stack.py there                       fails unless all lines of `kept` on stdin are still there
"""

import json
import sys

import boto3


def physical(stack):
    described = boto3.client("cloudformation").describe_stack_resources(StackName=stack)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in described["StackResources"]
    }


def template(stack, stage="Processed"):
    body = boto3.client("cloudformation").get_template(StackName=stack, TemplateStage=stage)
    body = body["TemplateBody"]
    return json.loads(body) if isinstance(body, str) else body


def functions(stack, resources):
    """Each function of a stack, as what the alias that serves points to, if it has one."""
    client, ids = boto3.client("lambda"), physical(stack)
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Lambda::Function":
            aliases = client.list_aliases(FunctionName=ids[name])["Aliases"]
            qualifier = {"Qualifier": aliases[0]["Name"]} if aliases else {}
            found = client.get_function_configuration(FunctionName=ids[name], **qualifier)
            served = aliases[0]["AliasArn"] if aliases else found["FunctionArn"]
            yield name, served, found.get("Environment", {}).get("Variables", {})


def routes(stack):
    """Makes the routes of the API again: ministack makes none of the OpenAPI document in which SAM
    declares them."""
    apis, resources = boto3.client("apigatewayv2"), template(stack)["Resources"]
    arns = {name: arn for name, arn, _ in functions(stack, resources)}
    api = physical(stack)["Api"]
    for route in apis.get_routes(ApiId=api)["Items"]:
        apis.delete_route(ApiId=api, RouteId=route["RouteId"])
    for path, methods in resources["Api"]["Properties"]["Body"]["paths"].items():
        for method, operation in methods.items():
            uri = json.dumps(operation["x-amazon-apigateway-integration"]["uri"])
            arn = next(arns[name] for name in arns if f"${{{name}.Arn}}" in uri or f"${{{name}Alias" in uri)
            integration = apis.create_integration(
                ApiId=api,
                IntegrationType="AWS_PROXY",
                IntegrationUri=arn,
                PayloadFormatVersion="2.0",
            )
            target = f"integrations/{integration['IntegrationId']}"
            apis.create_route(ApiId=api, RouteKey=f"{method.upper()} {path}", Target=target)
    print(apis.get_api(ApiId=api)["ApiEndpoint"])


def status(stack):
    print(boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])


def variable(stack, name, value):
    has = {
        function: variables[name]
        for function, _, variables in functions(stack, template(stack)["Resources"])
        if name in variables
    }
    if not has or set(has.values()) != {value}:
        sys.exit(f"{name} is to be {value}, and is {has}")


def state(stack):
    outputs = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in outputs}
    print(f"TenantsTableName={outputs['TenantsTable']}", f"TenantsKeyArn={outputs['TenantsKey']}")


def kept(stack):
    ids = physical(stack)
    for name, resource in template(stack)["Resources"].items():
        # A version that SAM publishes is retained in updates, and goes with its function.
        if resource["Type"] == "AWS::Lambda::Version" or name not in ids:
            continue
        if resource.get("DeletionPolicy", "Delete").startswith("Retain"):
            print(name, resource["Type"], ids[name], sep="\t")


def lines():
    return [line.rstrip("\n").split("\t") for line in sys.stdin]


def there():
    found = lines()
    for _, kind, id_ in found:
        if kind == "AWS::DynamoDB::Table":
            boto3.client("dynamodb").describe_table(TableName=id_)
        elif kind == "AWS::SQS::Queue":
            boto3.client("sqs").get_queue_attributes(QueueUrl=id_, AttributeNames=["QueueArn"])
        elif kind == "AWS::KMS::Key":
            state = boto3.client("kms").describe_key(KeyId=id_)["KeyMetadata"]["KeyState"]
            if state != "Enabled":
                sys.exit(f"the key {id_} is {state}")
        else:
            sys.exit(f"teach infra/rehearsal/stack.py to look for a {kind}")
    if not found:
        sys.exit("the stack keeps nothing")
    print(f"kept: {', '.join(name for name, _, _ in found)}")


if __name__ == "__main__":
    command = {f.__name__.replace("_", "-"): f for f in (routes, status, variable, state, kept, there)}
    command[sys.argv[1]](*sys.argv[2:])
