"""Expands a SAM template into the CloudFormation template that AWS makes of it.

Usage: expand.py TEMPLATE OUTPUT

cfn-lint reads the expanded form alone with any depth: in the SAM form a wrong !Ref passes.
"""

import json
import sys

import boto3
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

REGION = "eu-central-1"


def main(source, output):
    with open(source, encoding="utf-8") as file:
        template = yaml_parse(file.read())
    urls = sum(
        resource["Type"] == "AWS::Serverless::Function" for resource in template["Resources"].values()
    )
    # `sam package` would put the address of the uploaded archive here.
    template["Globals"]["Function"]["CodeUri"] = "s3://artifacts-of-the-app/archive"
    session = boto3.session.Session(region_name=REGION)
    expanded = Translator({}, Parser(), boto_session=session).translate(template, {})
    with open(output, "w", encoding="utf-8") as file:
        json.dump(expanded, file, indent=2)
    print(f"{len(expanded['Resources'])} resources for {urls} functions")


if __name__ == "__main__":
    main(*sys.argv[1:])
