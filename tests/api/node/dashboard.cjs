// The example of PROTOCOL.md for graphql-ws, as it stands there. argv: address and cursor; QUERY in the environment.
// Prints each event as a JSON line; the line "cut" on stdin cuts the socket off, the end of stdin ends it.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { createClient } = require('graphql-ws');
const Socket = require('ws');

const protocol = readFileSync(join(__dirname, '../../../frontend-contract/PROTOCOL.md'), 'utf8');
const [, example] = protocol.match(/```js\n([^]*?)```/);
const say = (what) => console.log(JSON.stringify(what));

let socket;
globalThis.WebSocket = class extends Socket {
  constructor(...given) {
    super(...given);
    socket = this;
    this.addEventListener('close', ({ code }) => say({ closed: code }));
  }
};

const follow = new Function('createClient', `${example}; return follow;`)(createClient);
const end = follow({
  url: process.argv[2],
  token: async () => process.env.TOKEN,
  query: process.env.QUERY,
  after: process.argv[3],
  tell: ({ type, reason }) => say({ type, reason }),
  failed: (reason) => say({ failed: String(reason) }),
});

process.stdin.on('data', () => socket.terminate());
process.stdin.on('end', end);
