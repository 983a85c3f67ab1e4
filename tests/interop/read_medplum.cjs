// Medplum's client: writes three results, reads, searches and pages; prints what it saw as JSON.
// usage: node read_medplum.cjs BASE TOKEN
'use strict';
const { MedplumClient } = require('@medplum/core');
const NAME = 'medplum';

async function run(base, token) {
  const at = base.lastIndexOf('/fhir');
  const client = new MedplumClient({ baseUrl: `${base.slice(0, at)}/`, fhirUrlPath: 'fhir', fetch, cacheTime: 0 });
  client.setAccessToken(token);
  const made = [];
  for (const number of [0, 1, 2]) {
    const one = await client.createResource({
      resourceType: 'Observation',
      status: 'final',
      identifier: [{ system: `https://laba.example/${NAME}`, value: `F${number}` }],
      code: { coding: [{ system: 'https://laba.example/codes', code: NAME }] },
      valueQuantity: { value: 5.25, unit: 'U/L' },
    });
    made.push(one.id);
  }
  const read = await client.readResource('Observation', made[0]);
  await client.updateResource({ ...read, status: 'amended' });
  const again = await client.readResource('Observation', made[0], { cache: 'reload' });
  const byNumber = await client.search('Observation', { identifier: `https://laba.example/${NAME}|F1` });
  const paged = [];
  const query = { code: `https://laba.example/codes|${NAME}`, _count: '2' };
  let bundle = await client.search('Observation', query);
  while (bundle) {
    paged.push(...ids(bundle));
    const next = bundle.link?.find((one) => one.relation === 'next');
    bundle = next ? await client.get(next.url) : undefined;
  }
  const missing = await code(client.readResource('Observation', 'nope'));
  const refused = await code(client.search('Observation', { nonsense: 'x' }));
  console.log(
    JSON.stringify({
      made,
      read: read.valueQuantity.value,
      updated: again.status,
      found: ids(byNumber),
      paged,
      missing: missing === 'not-found',
      refused: refused === 'not-supported',
    }),
  );
}

const ids = (bundle) => (bundle.entry ?? []).map((one) => one.resource.id);
const code = (asked) => asked.then(() => '', (error) => error.outcome?.issue[0].code);

run(process.argv[2], process.argv[3]).then(() => process.exit(0));
