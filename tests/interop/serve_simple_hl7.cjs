// simple-hl7's server as a LIS: prints one line of JSON for each message as it reads it, and answers as the control id asks:
// AE.. and AR.. get that code, NO.. an acceptance that names another message, all others AA.
// usage: node serve_simple_hl7.cjs PORT   (it has no setting for the address: it listens on all of them)
'use strict';
const hl7 = require('simple-hl7');

const app = hl7.tcp();

app.use(({ msg, raw }, { ack }, next) => {
  const id = msg.header.getField(8); // it counts the fields of MSH from MSH-3
  const wanted = id.slice(0, 2);
  console.log(JSON.stringify({ id, text: msg.getSegment('OBX').getField(5), raw: raw.slice(1, -2) }));
  if (['AE', 'AR'].includes(wanted)) ack.getSegment('MSA').setField(1, wanted);
  if (wanted === 'NO') ack.getSegment('MSA').setField(2, 'ANOTHER');
  next();
});
app.use((request, response, next) => response.end());
app.use((error, request, response, next) => console.error(error.message));

app.start(Number(process.argv[2]));
