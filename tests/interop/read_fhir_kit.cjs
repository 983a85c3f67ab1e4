// fhir-kit-client: writes three results, reads, searches and pages; prints what it saw as JSON.
// usage: node read_fhir_kit.cjs BASE TOKEN
'use strict';
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const NAME = 'fhir-kit';

async function run(baseUrl, bearerToken) {
  const found = await import(pathToFileURL(join(process.env.NODE_PATH, 'fhir-kit-client/dist/index.js'))); // ESM alone
  const Client = found.default || found.Client;
  const client = new Client({ baseUrl, bearerToken });
  const resourceType = 'Observation';
  const statement = await client.capabilityStatement();
  const made = [];
  for (const number of [0, 1, 2]) {
    const body = {
      resourceType,
      status: 'final',
      identifier: [{ system: `https://laba.example/${NAME}`, value: `F${number}` }],
      code: { coding: [{ system: 'https://laba.example/codes', code: NAME }] },
      valueQuantity: { value: 200, comparator: '>', unit: 'CU' },
    };
    made.push((await client.create({ resourceType, body })).id);
  }
  const read = await client.read({ resourceType, id: made[0] });
  await client.update({ resourceType, id: made[0], body: { ...read, status: 'amended' } });
  const again = await client.read({ resourceType, id: made[0] });
  const byNumber = await client.search({ resourceType, searchParams: { identifier: `https://laba.example/${NAME}|F1` } });
  const paged = [];
  const searchParams = { code: `https://laba.example/codes|${NAME}`, _count: '2' };
  let bundle = await client.search({ resourceType, searchParams });
  while (bundle) {
    paged.push(...ids(bundle));
    bundle = (await client.nextPage({ bundle })) ?? null;
  }
  const missing = await status(client.read({ resourceType, id: 'nope' }));
  const refused = await status(client.search({ resourceType, searchParams: { nonsense: 'x' } }));
  console.log(
    JSON.stringify({
      made,
      read: read.valueQuantity.value,
      updated: again.status,
      found: ids(byNumber),
      paged,
      missing: missing === 404,
      refused: refused === 400 && statement.fhirVersion === '4.0.1',
    }),
  );
}

const ids = (bundle) => (bundle.entry ?? []).map((one) => one.resource.id);
const status = (asked) => asked.then(() => 200, (error) => error.response?.status);

run(process.argv[2], process.argv[3]).then(() => process.exit(0));
