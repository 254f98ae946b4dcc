'use strict';

// One hyco-ws peer, steered by JSON lines on standard input, telling what happens
// by JSON lines on standard output.
//
//   node peer.js listen URL     node peer.js connect URL [SUBPROTOCOL...]
//
// The environment holds RULE and KEY, of which the client's own code makes the
// token (LIFE: its seconds), or NO_TOKEN.

const crypto = require('crypto');
const readline = require('readline');
const WebSocket = require('hyco-ws');

const [role, address, ...protocols] = process.argv.slice(2);
const tunnels = [];

function tell(event, more) {
  process.stdout.write(JSON.stringify(Object.assign({ event }, more)) + '\n');
}

function makeToken() {
  const { RULE, KEY, LIFE } = process.env;
  return WebSocket.createRelayToken(address, RULE, KEY, Number(LIFE || 3600));
}

function watch(tunnel) {
  const at = tunnels.push(tunnel) - 1;
  tunnel.on('open', () => tell('open', { at, protocol: tunnel.protocol || null }));
  tunnel.on('message', (data, flags) => {
    const bytes = Buffer.from(data);
    tell('message', {
      at,
      binary: !!(flags && flags.binary),
      size: bytes.length,
      sha256: crypto.createHash('sha256').update(bytes).digest('hex'),
    });
    if (process.env.ECHO) {
      tunnel.send(data, { binary: !!(flags && flags.binary) });
    }
  });
  tunnel.on('close', (code, reason) => tell('close', { at, code, reason }));
  tunnel.on('error', (error) => tell('error', { at, text: String(error) }));
  tunnel.on('unexpected-response', (request, response) => {
    tell('refused', {
      at,
      status: response.statusCode,
      reason: response.statusMessage,
    });
    request.abort();
  });
  return at;
}

if (role === 'listen') {
  const token = process.env.NO_TOKEN ? ' ' : makeToken;
  const server = WebSocket.createRelayedServer({ server: address, token }, (tunnel) => {
    const at = watch(tunnel);
    tell('connection', { at, url: tunnel.url });
  });
  server.on('listening', () => tell('listening'));
  server.on('error', (error) => tell('error', { text: String(error.message || error) }));
} else {
  const headers = {};
  if (!process.env.NO_TOKEN) {
    headers.ServiceBusAuthorization = makeToken();
  }
  watch(new WebSocket(address, protocols.length ? protocols.join(',') : null, { headers }));
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line);
  const tunnel = tunnels[order.at || 0];
  if (order.text !== undefined) {
    tunnel.send(order.text);
  } else if (order.base64 !== undefined) {
    tunnel.send(Buffer.from(order.base64, 'base64'), { binary: true });
  } else if (order.close) {
    tunnel.close(...order.close);
  } else if (order.terminate) {
    tunnel.terminate();
  }
}).on('close', () => process.exit(0));
