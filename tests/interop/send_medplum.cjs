// Medplum's client: sends each FILE on one connection, and prints one line of JSON for each answer as it reads it.
// usage: node send_medplum.cjs PORT FILE...
'use strict';
const { readFileSync } = require('node:fs');
const { Hl7Message } = require('@medplum/core');
const { Hl7Client } = require('@medplum/hl7');

async function sendInTurn(port, files) {
  const client = new Hl7Client({ host: '127.0.0.1', port, encoding: 'utf-8' });
  for (const file of files) {
    const answer = await client.sendAndWait(Hl7Message.parse(readFileSync(file, 'utf8')), { timeoutMs: 20000 });
    print(answer.getSegment('MSA'), answer.getSegment('ERR'));
  }
  await client.close();
}

function print(msa, err) {
  const [code, id, text] = [msa.getField(1), msa.getField(2), err?.getField(8)].map((field) => field?.toString() ?? '');
  console.log(JSON.stringify({ code, id, text }));
}

// It leaves the timer of an answered message running: without exit() the process would stay for it.
sendInTurn(Number(process.argv[2]), process.argv.slice(3)).then(() => process.exit(0));
