"""Does to a stack in ministack what AWS does by itself, and prints the stack's base URL.

Usage: patch_emulator.py STACK TEMPLATE

ministack makes no routes of the OpenAPI document in which SAM declares them, and does not tell
functions where they find AWS. Functions also learn their base URL: the requests that ministack hands
them name a domain without its port.
"""

import os
import sys

import boto3
from samcli.yamlhelper import yaml_parse


def main(stack, template):
    with open(template, encoding="utf-8") as file:
        declared = yaml_parse(file.read())["Resources"]
    described = boto3.client("cloudformation").describe_stack_resources(StackName=stack)
    physical = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in described["StackResources"]
    }
    apis, functions = boto3.client("apigatewayv2"), boto3.client("lambda")
    api = physical["Api"]
    base_url = apis.get_api(ApiId=api)["ApiEndpoint"]

    for name, resource in declared.items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        function = functions.get_function_configuration(FunctionName=physical[name])
        variables = function.get("Environment", {}).get("Variables", {})
        variables["AWS_ENDPOINT_URL"] = os.environ["AWS_ENDPOINT_URL"]
        if "BASE_URL" in variables:
            variables["BASE_URL"] = base_url
        functions.update_function_configuration(
            FunctionName=physical[name], Environment={"Variables": variables}
        )
        for event in resource["Properties"].get("Events", {}).values():
            if event["Type"] != "HttpApi":
                continue
            integration = apis.create_integration(
                ApiId=api,
                IntegrationType="AWS_PROXY",
                IntegrationUri=function["FunctionArn"],
                PayloadFormatVersion="2.0",
            )
            route = event["Properties"]
            apis.create_route(
                ApiId=api,
                RouteKey=f"{route['Method'].upper()} {route['Path']}",
                Target=f"integrations/{integration['IntegrationId']}",
            )
    print(base_url)


if __name__ == "__main__":
    main(*sys.argv[1:])
