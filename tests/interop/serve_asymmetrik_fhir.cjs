// @asymmetrik/node-fhir-server-core as a FHIR server that takes our write-backs: it keeps what it is given in memory. GET
// /dump on the port behind it lists every resource with the number of its versions.
// usage: node serve_asymmetrik_fhir.cjs PORT DUMP_PORT
'use strict';
const crypto = require('crypto');
const http = require('http');
const FHIRServer = require('@asymmetrik/node-fhir-server-core');

const VERSION = '4_0_0';
const KINDS = ['Observation', 'DiagnosticReport', 'DetectedIssue', 'Task', 'ServiceRequest', 'Provenance'];
const kept = Object.fromEntries(KINDS.map((kind) => [kind, new Map()]));

function bears(resource, name, token) {
  const [system, value] = String(token).split('|');
  const found = name === 'identifier' ? resource.identifier : resource.meta?.tag;
  return (found || []).some((one) => one.system === system && (one.value ?? one.code) === value);
}

function service(kind) {
  const make = FHIRServer.resolveSchema(VERSION, kind.toLowerCase());
  const Bundle = FHIRServer.resolveSchema(VERSION, 'bundle');
  const store = kept[kind];
  const put = (id, body) => {
    const versions = (store.get(id)?.versions ?? 0) + 1;
    store.set(id, { versions, resource: { ...body, id, meta: { ...body.meta, versionId: String(versions) } } });
    return versions;
  };
  return {
    search: async (args, { req }) => {
      const asked = ['identifier', '_tag'].filter((name) => req.query[name]);
      const rows = [...store.values()].map((one) => one.resource);
      const found = rows.filter((row) => asked.every((name) => bears(row, name, req.query[name])));
      return new Bundle({ type: 'searchset', total: found.length, entry: found.map((one) => ({ resource: new make(one) })) });
    },
    searchById: async (args) => new make(store.get(args.id).resource),
    create: async (args, { req }) => {
      const id = crypto.randomUUID();
      put(id, req.body);
      return { id };
    },
    update: async (args, { req }) => ({ id: args.id, created: false, resource_version: String(put(args.id, req.body)) }),
  };
}

const profiles = Object.fromEntries(KINDS.map((kind) => [kind.toLowerCase(), { service: service(kind), versions: [VERSION] }]));
const server = FHIRServer.initialize({ profiles, logging: { level: 'error' } });
server.listen(Number(process.argv[2]));
http
  .createServer((request, response) => {
    const all = KINDS.flatMap((kind) => [...kept[kind].values()]);
    response.end(JSON.stringify(all));
  })
  .listen(Number(process.argv[3]), '127.0.0.1');
