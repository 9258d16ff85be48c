"""Takes out of a built template what ministack does not know, and prints what that was.

Usage: strip_unsupported.py TEMPLATE

Only what has no part in the way of a webhook: an alarm over several metrics, a saved query, and the
limit of an event source, which ministack compares as the text that a parameter is.
"""

import sys

from samcli.yamlhelper import yaml_dump, yaml_parse


def main(path):
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file.read())
    resources = template["Resources"]
    for name, resource in list(resources.items()):
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in properties:
            del resources[name]
            print(f"left out: the alarm {name}")
        if resource["Type"] == "AWS::Logs::QueryDefinition":
            del resources[name]
            print(f"left out: the query {name}")
        for event in properties.get("Events", {}).values():
            if event["Properties"].pop("ScalingConfig", None):
                print(f"left out: ScalingConfig of {name}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(yaml_dump(template))


if __name__ == "__main__":
    main(*sys.argv[1:])
