// simple-hl7's client: sends each FILE on one connection, and prints one line of JSON for each answer as it reads it.
// usage: node send_simple_hl7.cjs PORT FILE...
'use strict';
const { readFileSync } = require('node:fs');
const hl7 = require('simple-hl7');

const [port, ...files] = process.argv.slice(2);
const client = hl7.Server.createTcpClient({ host: '127.0.0.1', port: Number(port), keepalive: true });

function print(answer) {
  const [msa, err] = [answer.getSegment('MSA'), answer.getSegment('ERR')];
  console.log(JSON.stringify({ code: msa.getField(1), id: msa.getField(2), text: err ? err.getField(8) : '' }));
}

function sendNext() {
  const file = files.shift();
  if (file === undefined) process.exit(0);
  client.send(new hl7.Parser().parse(readFileSync(file, 'utf8')), (error, answer) => {
    if (error) throw error;
    print(answer);
    setImmediate(sendNext); // it calls back before it has left the state in which it refuses to send
  });
}

sendNext();
