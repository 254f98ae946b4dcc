'use strict';

// A hyco-https listener: answers by the path, as the tests want it, and tells what
// happens by JSON lines on standard output.
//
//   node https_listener.js URL     node https_listener.js local
//
// The environment holds RULE and KEY, of which the client's own code makes the token.
// With "local" it is a plain web service on a port of 127.0.0.1, which it tells; there
// is no hyco-https then, and the answers are the same.

const crypto = require('crypto');
const http = require('http');
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

// Bytes that are different at each place.
function numbers(size) {
  const made = Buffer.alloc(size + 4);
  for (let at = 0; at < size; at += 4) {
    made.writeUInt32BE(at, at);
  }
  return made.slice(0, size);
}

// Makes the waiting stream go on.
let goOn = () => {};

// Writes an event, and each further one when it is asked for by another request.
function stream(response, count) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  let number = 0;
  goOn = () => {
    if (number === count) {
      goOn = () => {};
      response.end();
      return;
    }
    // hyco-https dials the rendezvous when it holds more than 64 kB.
    const filling = number ? '' : ' ' + 'x'.repeat(70000);
    response.write('data: ' + number + filling + '\n\n');
    number += 1;
  };
  goOn();
}

// Answers "/hold" when "/release" was asked for, whichever comes first.
let release;
const released = new Promise((resolve) => {
  release = resolve;
});

// Shows the events of the stream, and asks for the next one when it has one whole.
// The image keeps the page from being loaded until everything was shown.
const PAGE = `<!doctype html>
<title>events</title>
<img id="hold"><ul id="events"></ul>
<script>
const ask = (name) => fetch(name + location.search);
const show = (text) => {
  const item = document.createElement('li');
  item.textContent = text;
  document.getElementById('events').append(item);
};
async function run() {
  const response = await ask('stream');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      show('end ' + JSON.stringify(text));
      return;
    }
    text += value;
    while (text.includes('\\n\\n')) {
      const event = text.slice(0, text.indexOf('\\n\\n'));
      text = text.slice(event.length + 2);
      show(event.slice(0, 7) + ' of ' + event.length);
      await ask('next');
    }
  }
}
document.getElementById('hold').src = 'hold' + location.search;
run().catch((error) => show(String(error))).then(() => ask('release'));
</script>
`;

function answer(request, response, told) {
  const [path, query] = request.url.split('?');
  const name = path.replace(/^\/web/, '');
  if (name === '/large') {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream' });
    // Given an empty buffer, hyco-https sends nothing at all.
    response.end(Number(query) ? numbers(Number(query)) : null);
  } else if (name === '/stream') {
    stream(response, 3);
  } else if (name === '/next') {
    goOn();
    response.writeHead(204);
    response.end();
  } else if (name === '/page') {
    response.writeHead(200, { 'Content-Type': 'text/html' });
    response.end(PAGE);
  } else if (name === '/hold') {
    released.then(() => {
      response.writeHead(204);
      response.end();
    });
  } else if (name === '/release') {
    release();
    response.writeHead(204);
    response.end();
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

function serve(request, response) {
  describe(request, (told) => answer(request, response, told));
}

if (address === 'local') {
  const server = http.createServer(serve);
  server.listen(0, '127.0.0.1', () => tell('listening', { port: server.address().port }));
} else {
  const server = https.createRelayedServer({ server: address, token: makeToken }, serve);
  server.on('listening', () => tell('listening'));
  server.on('error', (error) => tell('error', { text: String(error.message || error) }));
  server.listen();
}
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
