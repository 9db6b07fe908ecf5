// graphql-ws as dashboards use it: argv[2] is the address, argv[3] the scenario. Prints what happened as JSON lines.
const { createClient } = require('graphql-ws');
const WebSocket = require('ws');

const [, , url, scenario] = process.argv;
const say = (what) => console.log(JSON.stringify(what));

const socket = { current: null };
const client = createClient({
  url,
  webSocketImpl: WebSocket,
  connectionParams: { authorization: process.env.AUTHORIZATION || 'Bearer good' },
  retryAttempts: 3,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
  on: {
    opened: (opened) => {
      socket.current = opened;
    },
    connected: () => say({ connected: true }),
    closed: ({ code, reason }) => say({ closed: code, reason }),
  },
});

const run = (query, variables) =>
  new Promise((resolve) => {
    client.subscribe(
      { query, variables },
      {
        next: (value) => say({ next: value }),
        error: (error) => {
          say({ error: Array.isArray(error) ? error : { code: error.code, reason: error.reason } });
          resolve();
        },
        complete: () => {
          say({ complete: true });
          resolve();
        },
      },
    );
  });

const scenarios = {
  query: () => run('{ caller }'),
  mutate: () => run('mutation ($input: BeatInput!) { beat(input: $input) }', { input: { deviceId: 'd', cpuUsage: 1.5 } }),
  subscribe: () => run('subscription { count(to: 3) }'),
  refused: () => run('subscription { turnedAway }'),
  forever: () => run('subscription { forever }'),
  // A frame that breaks the protocol is fatal for this client: it does not come back.
  fatal: () => {
    const running = run('subscription { forever }');
    client.on('connected', () => socket.current.send('[]'));
    return running;
  },
};

scenarios[scenario]().then(() => client.dispose());
