"""Makes a template that ministack can deploy, with programs that are packaged already.

Usage: for_emulator.py TEMPLATE PACKAGED OUTPUT

Every function gets the program that it has in PACKAGED, which `sam package` wrote, so that the forms
of a template are deployed without building or packaging again.

Functions learn where they find AWS. On AWS they need not be told.

Prints what it left out, because ministack does not know it. None of it has a part in the way of a
webhook: an alarm over several metrics; saved queries; the limit of an event source, which ministack compares as the
text that a parameter is; and the deployment by CodeDeploy of the canary form, of which versions and
aliases stay.
"""

import os
import sys

from samcli.yamlhelper import yaml_dump, yaml_parse


def read(path):
    with open(path, encoding="utf-8") as file:
        return yaml_parse(file.read())


def main(source, packaged, output):
    template, packaged = read(source), read(packaged)["Resources"]
    resources, function = template["Resources"], template["Globals"]["Function"]
    function["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = os.environ["AWS_ENDPOINT_URL"]
    del function["CodeUri"]
    if function.pop("DeploymentPreference", None):
        print("left out: DeploymentPreference of all functions")
    for name, resource in list(resources.items()):
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            properties["CodeUri"] = packaged[name]["Properties"]["CodeUri"]
            del resource["Metadata"]
            properties.pop("DeploymentPreference", None)
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in properties:
            del resources[name]
            print(f"left out: the alarm {name}")
        if resource["Type"] == "AWS::Logs::QueryDefinition":
            del resources[name]
            print(f"left out: the query {name}")
        for event in properties.get("Events", {}).values():
            if event["Properties"].pop("ScalingConfig", None):
                print(f"left out: ScalingConfig of {name}")
    with open(output, "w", encoding="utf-8") as file:
        file.write(yaml_dump(template))


if __name__ == "__main__":
    main(*sys.argv[1:])
