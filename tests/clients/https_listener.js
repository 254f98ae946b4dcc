'use strict';

// A hyco-https listener: answers by the path, as the tests want it, and tells what
// happens by JSON lines on standard output.
//
//   node https_listener.js URL
//
// The environment holds RULE and KEY, of which the client's own code makes the token.

const crypto = require('crypto');
const https = require('hyco-https');

const [address] = process.argv.slice(2);

function tell(event, more) {
  process.stdout.write(JSON.stringify(Object.assign({ event }, more)) + '\n');
}

function makeToken() {
  return https.createRelayToken(address, process.env.RULE, process.env.KEY);
}

// What is told of a request: its head, and the size and the sum of its body.
function describe(request, done) {
  const sum = crypto.createHash('sha256');
  let size = 0;
  request.on('data', (data) => {
    size += data.length;
    sum.update(data);
  });
  request.on('end', () => done({
    method: request.method,
    url: request.url,
    headers: request.headers,
    size,
    sha256: sum.digest('hex'),
  }));
}

function stream(response, count) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  let number = 0;
  const timer = setInterval(() => {
    // hyco-https dials the rendezvous when it holds more than 64 kB.
    response.write('data: ' + number + ' ' + 'x'.repeat(70000) + '\n\n');
    number += 1;
    if (number === count) {
      clearInterval(timer);
      response.end();
    }
  }, 300);
}

function answer(request, response, told) {
  const [path, query] = request.url.split('?');
  const name = path.replace(/^\/web/, '');
  if (name === '/large') {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream' });
    // Given an empty buffer, hyco-https sends nothing at all.
    response.end(Number(query) ? Buffer.alloc(Number(query), 'x') : null);
  } else if (name === '/stream') {
    stream(response, 3);
  } else if (name === '/status') {
    const [status, reason] = query.split('&');
    response.writeHead(Number(status), decodeURIComponent(reason || ''));
    response.end('said');
  } else if (name === '/empty') {
    response.writeHead(Number(query), { ETag: '"e"' });
    response.end();
  } else if (name === '/headers') {
    response.setHeader('X-One', 'first');
    response.setHeader('X-Two', 'a, b');
    response.setHeader('Set-Cookie', ['a=1', 'b=2']);
    response.writeHead(200);
    response.end('headers');
  } else if (name !== '/never') {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(told));
  }
}

const server = https.createRelayedServer({ server: address, token: makeToken },
  (request, response) => describe(request, (told) => answer(request, response, told)));
server.on('listening', () => tell('listening'));
server.on('error', (error) => tell('error', { text: String(error.message || error) }));
server.listen();
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
