"""Adds to a template what CloudFormation refuses, after it has updated every function.

Usage: refused.py TEMPLATE OUTPUT
"""

import sys

from samcli.yamlhelper import yaml_dump, yaml_parse


def main(source, output):
    with open(source, encoding="utf-8") as file:
        template = yaml_parse(file.read())
    resources = template["Resources"]
    functions = [name for name in resources if resources[name]["Type"] == "AWS::Serverless::Function"]
    # The name of a FIFO queue ends in .fifo.
    properties = {"FifoQueue": True, "QueueName": "refused"}
    resources["Refused"] = {"Type": "AWS::SQS::Queue", "DependsOn": functions, "Properties": properties}
    with open(output, "w", encoding="utf-8") as file:
        file.write(yaml_dump(template))


if __name__ == "__main__":
    main(*sys.argv[1:])
