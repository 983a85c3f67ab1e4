"""fhirpy: writes three results, reads, searches and pages; prints what it saw as JSON. usage: read_fhirpy.py BASE TOKEN"""

import json
import sys

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound

NAME = "fhirpy"
base, token = sys.argv[1:]
client = SyncFHIRClient(base, authorization=f"Bearer {token}")
made = []
for number in range(3):
    one = client.resource(
        "Observation",
        status="final",
        identifier=[{"system": f"https://laba.example/{NAME}", "value": f"F{number}"}],
        code={"coding": [{"system": "https://laba.example/codes", "code": NAME}]},
        valueRatio={"numerator": {"value": 1}, "denominator": {"value": 320}},
    )
    one.save()
    made.append(one.id)
read = client.reference("Observation", made[0]).to_resource()
mine = client.resources("Observation").search(code=f"https://laba.example/codes|{NAME}")
read["status"] = "amended"
read.save()
again = client.reference("Observation", made[0]).to_resource()
try:
    client.reference("Observation", "nope").to_resource()
    missing = ""
except ResourceNotFound as error:
    missing = type(error).__name__
try:
    client.resources("Observation").search(nonsense="x").fetch()
    refused = ""
except OperationOutcome as error:
    refused = str(error)
found = {
    "made": made,
    "read": read["valueRatio"]["denominator"]["value"],
    "updated": again["status"],
    "found": [
        one.id for one in client.resources("Observation").search(identifier=f"https://laba.example/{NAME}|F1").fetch()
    ],
    "paged": [one.id for one in mine.limit(2).fetch_all()],
    "missing": bool(missing),
    "refused": "nonsense" in refused,
}
print(json.dumps(found))
