// node-hl7-server as a LIS: prints one line of JSON for each message as it reads it, and answers as the control id asks:
// AE.. and AR.. get that code, NO.. an acceptance that names another message, all others AA.
// usage: node serve_node_hl7.cjs PORT     (2.5.0 passes its bindAddress to nobody: it listens on all addresses)
//
// 2.5.0 never forgets what a connection sent: with the second message it handles, and answers, the first one again.
'use strict';
const { Server } = require('node-hl7-server');

function take(request, response) {
  const message = request.getMessage();
  const id = message.get('MSH.10').toString();
  const wanted = id.slice(0, 2);
  console.log(JSON.stringify({ id, text: message.get('OBX.5').toString(), raw: message.toString() }));
  if (wanted === 'NO') message.set('MSH.10', 'ANOTHER'); // MSA-2 is taken from here
  return response.sendResponse(['AE', 'AR'].includes(wanted) ? wanted : 'AA');
}

const inbound = new Server({ bindAddress: '127.0.0.1' }).createInbound({ port: Number(process.argv[2]) }, take);
inbound.on('error', ({ message }) => console.error(message));
inbound.on('data.error', ({ message }) => console.error(message));
inbound.on('client.error', ({ message }) => console.error(message));
