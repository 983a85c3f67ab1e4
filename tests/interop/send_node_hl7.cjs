// node-hl7-client: sends each FILE on one connection, and prints one line of JSON for each answer as it reads it.
// usage: node send_node_hl7.cjs PORT FILE...
'use strict';
const { readFileSync } = require('node:fs');
const { Client, Message } = require('node-hl7-client');

const [port, ...files] = process.argv.slice(2);
const connection = new Client({ host: '127.0.0.1' }).createConnection({ port: Number(port) }, (response) => {
  print(response.getMessage());
  sendNext();
});

function print(answer) {
  const text = answer.toString().includes('\rERR|') ? answer.get('ERR.8').toString() : ''; // it throws where there is none
  console.log(JSON.stringify({ code: answer.get('MSA.1').toString(), id: answer.get('MSA.2').toString(), text }));
}

function sendNext() {
  const file = files.shift();
  if (file === undefined) process.exit(0); // its close() may come with a new connection: it is left by leaving
  connection.sendMessage(new Message({ text: readFileSync(file, 'utf8') }));
}

// A message given to it before it is connected makes it open a second connection.
connection.on('connect', sendNext);
