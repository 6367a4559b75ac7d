"""Checks objects against the schemas of Kubernetes, strictly: a field that is not in them is a problem.

Reads {"versions": [..], "objects": [..]} from standard input; prints {"checked": how many, "problems": [..]}.
"""

import json
import sys

import kubernetes_validate

asked = json.load(sys.stdin)
checked = 0
problems = []
for version in asked["versions"]:
    for document in asked["objects"]:
        title = f"{version} {document['kind']} {document['metadata']['name']}"
        try:
            used = kubernetes_validate.validate(document, version, strict=True)
            if used != version:
                problems.append(f"{title}: there are schemas of {used} instead")
            checked += 1
        except kubernetes_validate.ValidationError as error:
            problems.append(f"{title}: {'.'.join(map(str, error.path))}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError as error:
            problems.append(f"{title}: {error.message}")
print(json.dumps({"checked": checked, "problems": problems}))
