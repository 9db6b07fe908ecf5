// A dashboard on graphql-ws: follows alertEvents, loses its line after `cut` events, and resumes with its last cursor.
// argv: address, how many events before the line is cut, how many events in all. Prints each event as a JSON line.
const { createClient } = require('graphql-ws');
const WebSocket = require('ws');

const [, , url, cut, all] = process.argv;
const say = (what) => console.log(JSON.stringify(what));
const connectionParams = { authorization: process.env.AUTHORIZATION };
const document = 'subscription ($after: Cursor) { alertEvents(after: $after) { id type cursor alert { subjectId status } } }';

let cursor = null;
let heard = 0;

// One client for each connection, so that what is asked for again carries the last cursor.
const follow = () =>
  new Promise((resolve) => {
    let current = null;
    let gone = false;
    const client = createClient({
      url,
      webSocketImpl: WebSocket,
      connectionParams,
      retryAttempts: 0,
      on: { connected: (socket) => { current = socket; say({ connected: true }); } },
    });
    const end = () => { client.dispose(); resolve(); };
    client.subscribe(
      { query: document, variables: { after: cursor } },
      {
        next: ({ data }) => {
          // What was on its way when the line was cut counts as lost.
          if (gone) return;
          const event = data.alertEvents;
          cursor = event.cursor;
          if (event.alert === null) return;
          heard += 1;
          say({ event: [event.alert.subjectId, event.type] });
          if (heard === Number(cut)) { gone = true; current.terminate(); }
          if (heard === Number(all)) end();
        },
        error: end,
        complete: end,
      },
    );
  });

const ask = (query) =>
  new Promise((resolve, reject) => {
    const client = createClient({ url, webSocketImpl: WebSocket, connectionParams });
    client.subscribe({ query }, { next: ({ data }) => resolve(data), error: reject, complete: () => client.dispose() });
  });

(async () => {
  say({ query: (await ask('{ viewer { role } }')).viewer.role });
  say({ mutation: (await ask('mutation { createTenant(id: "acme", input: { name: "Acme" }) { tenantId } }')).createTenant.tenantId });
  await follow();
  say({ cut: true });
  process.stdin.once('data', async () => {
    await follow();
    process.exit(0);
  });
})();
