// The npm package `fhir`: a line of JSON for each resource it is given (a line each), with what is wrong.
// usage: node validate_npm_fhir.cjs < RESOURCES.jsonl
'use strict';
const { Fhir } = require('fhir');
const fs = require('fs');
const fhir = new Fhir();

for (const line of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const messages = fhir.validate(JSON.parse(line)).messages;
  const wrong = messages.filter((one) => one.severity === 'error' || one.severity === 'fatal');
  console.log(JSON.stringify(wrong.map((one) => `${one.location} ${one.message}`)));
}
