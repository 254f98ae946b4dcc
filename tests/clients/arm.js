'use strict';

// Azure's management clients, unchanged, driven by JSON lines: each line on standard
// input is a call, each on standard output its result or error, in the same order.
//
//   node arm.js ENDPOINT SUBSCRIPTION
//
// The environment holds TOKEN.  A call is {"group", "method", "arguments"}; the method
// "names" tells which there are.

const readline = require('readline');
const { RelayAPI } = require('@azure/arm-relay');
const { WebSiteManagementClient } = require('@azure/arm-appservice');

const [endpoint, subscription] = process.argv.slice(2);
const credential = {
  getToken: async () => ({
    token: process.env.TOKEN,
    expiresOnTimestamp: Date.now() + 3600 * 1000,
  }),
};
const options = {
  endpoint,
  credentialScopes: [endpoint + '/.default'],
  credentials: { scopes: [endpoint + '/.default'] },
  retryOptions: { maxRetries: 0 },
};
const clients = [
  new RelayAPI(credential, subscription, options),
  new WebSiteManagementClient(credential, subscription, options),
];

function find(group) {
  const owner = clients.find((client) => client[group] !== undefined);
  return owner[group];
}

function names(group) {
  const found = find(group);
  return [...Object.keys(found), ...Object.getOwnPropertyNames(Object.getPrototypeOf(found))]
    .filter((name) => typeof found[name] === 'function');
}

async function call(order) {
  const group = find(order.group);
  if (order.method === 'names') {
    return names(order.group);
  }
  const made = group[order.method](...order.arguments);
  if (made !== undefined && typeof made[Symbol.asyncIterator] === 'function') {
    const items = [];
    for await (const item of made) {
      items.push(item);
    }
    return items;
  }
  const result = await made;
  return result === undefined ? null : result;
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let told;
    try {
      told = { result: await call(JSON.parse(line)) };
    } catch (error) {
      told = {
        error: {
          name: error.name,
          status: error.statusCode === undefined ? null : Number(error.statusCode),
          code: error.code,
          message: error.message,
        },
      };
    }
    process.stdout.write(JSON.stringify(told) + '\n');
  }
}

main();
