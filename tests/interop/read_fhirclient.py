"""SMART fhirclient: writes three results, reads, searches and pages; prints what it saw as JSON. usage: read_fhirclient.py
BASE TOKEN"""

import json
import sys

from fhirclient import client
from fhirclient.models.codeableconcept import CodeableConcept
from fhirclient.models.coding import Coding
from fhirclient.models.identifier import Identifier
from fhirclient.models.observation import Observation
from fhirclient.models.quantity import Quantity
from requests import HTTPError

NAME = "fhirclient"
base, token = sys.argv[1:]
smart = client.FHIRClient(settings={"app_id": "labbridge-test", "api_base": base})
server = smart.server
server.session.headers["Authorization"] = f"Bearer {token}"


def coded() -> CodeableConcept:
    coding, concept = Coding(), CodeableConcept()
    coding.system, coding.code = "https://laba.example/codes", NAME
    concept.coding = [coding]
    return concept


made = []
for number in range(3):
    one, identifier, value = Observation(), Identifier(), Quantity()
    identifier.system, identifier.value = f"https://laba.example/{NAME}", f"F{number}"
    value.value, value.unit = 1245.5, "U/L"
    one.status, one.code, one.identifier, one.valueQuantity = "final", coded(), [identifier], value
    made.append(one.create(server)["id"])
read = Observation.read(made[0], server)
read.status = "amended"
read.update(server)
again = Observation.read(made[0], server)
by_number = Observation.where({"identifier": f"https://laba.example/{NAME}|F1"}).perform_resources(server)
paged = Observation.where({"code": f"https://laba.example/codes|{NAME}", "_count": "2"}).perform_resources_iter(server)
ids = [one.id for one in paged]
try:
    Observation.read("nope", server)
    missing = False
except Exception as error:  # noqa: BLE001 - its own kind, of which only the name matters
    missing = type(error).__name__ == "FHIRNotFoundException"
try:
    Observation.where({"nonsense": "x"}).perform(server)
    refused = False
except HTTPError as error:
    refused = error.response.status_code == 400 and "nonsense" in error.response.text
found = {
    "made": made,
    "read": read.valueQuantity.value,
    "updated": again.status,
    "found": [one.id for one in by_number],
    "paged": ids,
    "missing": missing,
    "refused": refused,
}
print(json.dumps(found))
