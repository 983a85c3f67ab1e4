// Medplum's server as a LIS: prints one line of JSON for each message as it reads it, and answers as the control id asks:
// AE.. and AR.. get that code, NO.. an acceptance that names another message, all others AA.
// usage: node serve_medplum.cjs PORT      (it has no setting for the address: it listens on all of them)
'use strict';
const { Hl7Server } = require('@medplum/hl7');

function answerTo(message, id) {
  const wanted = id.slice(0, 2);
  const answer = message.buildAck({ ackCode: ['AE', 'AR'].includes(wanted) ? wanted : 'AA' });
  if (wanted === 'NO') answer.getSegment('MSA').setField(2, 'ANOTHER');
  return answer;
}

function take(connection, message) {
  const id = message.getSegment('MSH').getField(10).toString();
  console.log(JSON.stringify({ id, text: message.getSegment('OBX').getField(5).toString(), raw: message.toString() }));
  connection.send(answerTo(message, id));
}

new Hl7Server((connection) => {
  connection.addEventListener('message', ({ message }) => take(connection, message));
  connection.addEventListener('error', ({ error }) => console.error(error.message));
}).start(Number(process.argv[2]), 'utf-8');
